"""What bfloat16 costs in quality: `python benchmarks/bench_precision.py [--output FILE]`.

Random weights would not tell. So a narrow network of each kind is trained briefly to remove noise
of sigma 25, and restores a photograph in float32 and under bfloat16 autocast; `--weights` adds
color denoisers that have been trained before.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from measure import Report, header, markdown_line, markdown_rule
from torch import Tensor, nn

from semanir_arch.archs import build_network
from semanir_arch.data.files.image_io import load_image
from semanir_arch.utils.checkpoint import load_checkpoint, load_into

SIGMA = 25 / 255
PATCH, BATCH = 48, 8

NETWORKS: dict[str, dict[str, Any]] = {
    "Restormer, 16 channels": {
        "type": "Restormer",
        "dim": 16,
        "num_blocks": [1, 1, 1, 2],
        "num_refinement_blocks": 1,
        "LayerNorm_type": "BiasFree",
    },
    "RAMiT, 32 channels": {
        "type": "RAMiT",
        "task": "denoise",
        "embed_dim": 32,
        "depths": [2, 2, 2, 2],
        "bottleneck_groups": 3,
        "mix_groups": 2,
    },
}


def main() -> None:
    """Print the report row by row, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Quality of bfloat16.")
    parser.add_argument("--photos", type=Path, default=Path("datasets/train"), help="to train on")
    parser.add_argument("--photo", type=Path, required=True, help="to restore; not among them")
    parser.add_argument("--seconds", type=int, default=100, help="training of each network")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="trained denoisers")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    arguments = parser.parse_args()
    clean = _read(arguments.photo)
    write = Report(arguments.output)
    write(header("Quality of bfloat16") + "\n")
    write(f"{arguments.photo.name}, noise of sigma 25; {arguments.seconds} s of training.\n\n")
    columns = ["network", "noisy, dB", "float32, dB", "bfloat16, dB", "difference, dB"]
    write(markdown_rule(columns))
    for name, options in NETWORKS.items():
        network = build_network(options)
        train(network, sorted(arguments.photos.rglob("*.png"))[:200], arguments.seconds)
        write(row(name, network, clean))
    for path in arguments.weights:
        checkpoint = load_checkpoint(path)
        network = build_network(checkpoint.network or {})
        load_into(network, checkpoint)
        write(row(path.stem, network, clean))


def train(network: nn.Module, photos: list[Path], seconds: int) -> None:
    """Learn to remove noise from patches of photographs, which are few and stay in memory."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    images = [_read(path)[0] for path in photos[:: max(len(photos) // 50, 1)]]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + math.cos(math.pi * elapsed / seconds)) / 2
        clean = torch.stack([_crop(images, generator) for _ in range(BATCH)])
        noisy = clean + SIGMA * torch.randn(clean.shape, generator=generator)
        loss = (network(noisy) - clean).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def row(name: str, network: nn.Module, clean: Tensor) -> str:
    """A line of the table."""
    generator = torch.Generator().manual_seed(1)
    noisy = clean + SIGMA * torch.randn(clean.shape, generator=generator)
    scores = [_psnr(noisy, clean)]
    for reduced in (False, True):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, reduced):
            scores.append(_psnr(network.eval()(noisy).float(), clean))
    return markdown_line(
        [name, *(f"{score:.3f}" for score in scores), f"{scores[2] - scores[1]:+.4f}"]
    )


def _read(path: Path) -> Tensor:
    """A color photograph (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(load_image(path).pixels[..., :3]).permute(2, 0, 1)[None] / 255


def _crop(images: list[Tensor], generator: torch.Generator) -> Tensor:
    def draw(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    image = images[draw(len(images))]
    top, left = (draw(side - PATCH + 1) for side in image.shape[-2:])
    return image[:, top : top + PATCH, left : left + PATCH]


def _psnr(restored: Tensor, clean: Tensor) -> float:
    return -10 * math.log10(float((restored.clamp(0, 1) - clean).square().mean()))


if __name__ == "__main__":
    main()
