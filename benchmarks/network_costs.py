"""What each network costs: size, multiply-adds, time and memory, and how fast its equations are.

Used by `bench_archs.py`.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import torch
import yaml
from measure import compare, markdown_table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from semanir_arch import host
from semanir_arch.archs import build_network

__all__ = ["cost_table", "equations_table"]

ROOT = Path(__file__).parents[1]


class Candidate(NamedTuple):
    """A network to measure.

    Args:
        build: Makes it.
        published: Its published parameters, in millions.
    """

    build: Callable[[], nn.Module]
    published: str


def _fragment(name: str, **values: object) -> nn.Module:
    text = (ROOT / "options" / "_base_" / "network" / f"{name}.yml").read_text()
    options = yaml.safe_load(Template(text).substitute(values))["network_g"]
    return build_network(options)


def _ramit(**arguments: Any) -> nn.Module:
    return build_network({"type": "RAMiT", "task": "denoising_color", **arguments})


def _swinir() -> nn.Module:
    return host.load("basicsr.archs.swinir_arch").SwinIR(
        upscale=1,
        img_size=64,
        window_size=8,
        img_range=1.0,
        depths=[6] * 6,
        embed_dim=180,
        num_heads=[6] * 6,
        mlp_ratio=2,
        upsampler="",
        resi_connection="1conv",
    )


_SLIM: dict[str, Any] = {"embed_dim": 48, "depths": [8, 2, 2, 8], "bottleneck_groups": 1}
_SLIM |= {"bottleneck_expansion": 2.0, "mix_expansion": 2.0, "mix_groups": 1, "task": "sr_x2"}
_SLIM_LLE: dict[str, Any] = {"embed_dim": 48, "depths": [4, 2, 2, 4], "task": "low_light"}
_SLIM_LLE |= {"bottleneck_groups": 3, "mix_groups": 3}

CANDIDATES = {
    "SemanIR light x2": Candidate(partial(_fragment, "semanir_light", scale=2), "-"),
    "SemanIR small x2": Candidate(partial(_fragment, "semanir_small", scale=2), "11.87"),
    "SemanIRUNet": Candidate(partial(_fragment, "semanir_unet_base", channels=3), "25.82"),
    "Restormer, WithBias": Candidate(partial(build_network, {"type": "Restormer"}), "26.13"),
    "Restormer, BiasFree": Candidate(
        partial(_fragment, "restormer_denoising", channels=3), "26.11"
    ),
    "RAMiT": Candidate(_ramit, "0.935"),
    "RAMiT-1": Candidate(partial(_ramit, mobivari=1), "0.818"),
    "RAMiT-slimSR x2": Candidate(partial(_ramit, **_SLIM), "0.581"),
    "RAMiT-slimLLE": Candidate(partial(_ramit, **_SLIM_LLE), "0.358"),
    "SwinIR (BasicSR)": Candidate(_swinir, "11.5"),
}


def cost_table(side: int, device: str, rounds: int, only: str) -> str:
    """Rows of all networks whose name contains `only`, for one colour image of `side` pixels.

    Multiply-adds are those of convolutions and matrix products as torch counts them.
    """
    columns = ["network", "parameters, M", "published", "multiply-adds, G", "forward, ms"]
    columns += ["bfloat16, ms", "forward + backward, ms", "forward, MiB", "forward + backward, MiB"]
    rows = []
    for name, candidate in CANDIDATES.items():
        if only.lower() not in name.lower():
            continue
        torch.manual_seed(0)
        network = candidate.build().to(device)
        image = torch.rand(1, 3, side, side, device=device)
        operations = count_multiply_adds(network, image)
        times = compare(
            {
                "float32": partial(forward, network, image),
                "bfloat16": partial(forward, network, image, reduced=True),
                "step": partial(backward, network, image),
            },
            rounds,
            1,
        )
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        rows.append(
            [name, f"{millions:.3f}", candidate.published]
            + [f"{operations / 1e9:.1f}"]
            + [f"{times[kind].median:.0f}" for kind in ("float32", "bfloat16", "step")]
            + [f"{peak_memory(name, side, device, step=step):.0f}" for step in (False, True)]
        )
    return markdown_table(columns, rows)


def equations_table(side: int, rounds: int) -> str:
    """Restormer and RAMiT against the plain equations that the tests compare them with."""
    sys.path.append(str(ROOT))
    from tests.archs.naive_ramit import NaiveRAMiT
    from tests.archs.naive_restormer import NaiveRestormer

    pairs = {
        "Restormer, BiasFree": NaiveRestormer(LayerNorm_type="BiasFree"),
        "RAMiT": NaiveRAMiT(helper=False),
    }
    rows = []
    for name, naive in pairs.items():
        network = CANDIDATES[name].build() if name != "RAMiT" else _ramit(task="denoising_real")
        network.load_state_dict(naive.state_dict())
        image = torch.rand(1, 3, side, side)
        times = compare(
            {
                "equations": partial(forward, naive, image),
                "float32": partial(forward, network, image),
                "bfloat16": partial(forward, network, image, reduced=True),
            },
            rounds,
            1,
        )
        difference = forward(network, image) - forward(naive, image)
        rows.append(
            [
                name,
                *(f"{timing.median:.0f}" for timing in times.values()),
                f"{times['equations'].ratio(times['float32']):.2f}",
                f"{times['float32'].ratio(times['bfloat16']):.2f}",
                f"{difference.abs().max():.1e}",
            ]
        )
    columns = ["network", "equations, ms", "float32, ms", "bfloat16, ms", "times faster"]
    return markdown_table([*columns, "bfloat16 faster", "largest difference"], rows)


def count_multiply_adds(network: nn.Module, image: Tensor) -> int:
    """Multiply-adds of one forward pass, of what really runs."""
    # the counter follows gradients, and stumbles over parts of weights that have none
    network.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        network(image)
    network.requires_grad_(True)
    return counter.get_total_flops() // 2


def forward(network: nn.Module, image: Tensor, *, reduced: bool = False) -> Tensor:
    """Restore without gradients; in bfloat16 autocast if `reduced`."""
    with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, reduced):
        out: Tensor = network.eval()(image)
        return out.float()


def backward(network: nn.Module, image: Tensor) -> None:
    """Forward and backward, without the optimizer's step."""
    network.train().zero_grad()
    network(image).abs().mean().backward()


def peak_memory(name: str, side: int, device: str, *, step: bool) -> float:
    """MiB above those of the network: on a GPU as torch counts, on a CPU of a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_memory, (name, side, device, step))


def _measure_memory(name: str, side: int, device: str, step: bool) -> float:
    network = CANDIDATES[name].build().to(device)
    image = torch.rand(1, 3, side, side, device=device)
    run = backward if step else forward
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(network, image)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # 5 lets Linux forget the peak so far
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run(network, image)
    return (_status("VmHWM") - before) / 2**10


def _status(field: str) -> int:
    """A line of this process's status on Linux, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
