"""One training of the comparison, and what is kept of it.

Every run sees the same patches in the same order for the same seed. The rate is constant and the
weights that are scored are a running average, so that one run serves comparisons at equal
iterations and at equal minutes: a schedule would have to know its end.
"""

from __future__ import annotations

import copy
import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from claims_variants import VARIANTS, WINDOW, Variant, dictionary_overlap, set_keys
from torch import Tensor, nn
from torch.nn.functional import pad

from semanir_arch.data.datasets.gaussian_denoising_dataset import GaussianDenoisingDataset
from semanir_arch.data.datasets.jpeg_compression_dataset import JpegCompressionDataset
from semanir_arch.metrics import psnr, quantize_uint8
from semanir_arch.utils.atomic import replacing

__all__ = ["TASKS", "Budget", "Record", "train"]

TRAINING = "datasets/packed/train.lmdb"
HELD_OUT = "datasets/packed/validation.lmdb"
CBSD68 = "datasets/test/CBSD68"

TASKS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "noise25": (GaussianDenoisingDataset, {"sigma": 25}),
    "jpeg10": (JpegCompressionDataset, {"quality": 10}),
}

RATE, BETAS, CLIP, DECAY = 1e-3, (0.9, 0.99), 1.0, 0.995
PATCH, BATCH = 64, 2
SIDE = 128
"""Side of the scored middle of each test picture, in pixels."""
HELD_OUT_PICTURES = 24
"""Number of pictures in HELD_OUT that are scored, the first by name: scoring is no part of the
minutes."""
CURVE = (16, 32, 64, 128, 256)
"""Keys per token of the curve at test time."""


@dataclass(frozen=True)
class Budget:
    """Budget of a training.

    Args:
        iterations: Ascending numbers of iterations at which to score.
        minutes: Ascending minutes of processor time at which to score.
    """

    iterations: tuple[int, ...] = (150, 300, 600)
    minutes: tuple[float, ...] = (1.5, 3.0, 6.0)


@dataclass
class Record:
    """Data kept of a run.

    Attributes:
        name: Name of the variant.
        task: Task name, one of `TASKS`.
        seed: Seed of weights and data.
        parameters: Number of trained values.
        at_iterations: PSNR on held-out pictures in dB, by iterations.
        at_minutes: The same, by minutes of processor time.
        iterations: Iterations in all.
        seconds: Processor seconds per iteration.
        cbsd68: PSNR on the middles of CBSD68, in dB, at the end.
        curve: Held-out PSNR at the end by keys per token, and the processor seconds it took.
        overlap: Overlap for each stage and layer; see `dictionary_overlap`.
        origin: Versions, processor and date.
    """

    name: str
    task: str
    seed: int
    parameters: int = 0
    at_iterations: dict[int, float] = field(default_factory=dict)
    at_minutes: dict[float, float] = field(default_factory=dict)
    iterations: int = 0
    seconds: float = 0.0
    cbsd68: float = 0.0
    curve: dict[int, tuple[float, float]] = field(default_factory=dict)
    overlap: list[list[float]] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        with replacing(path) as file:
            file.write((json.dumps(asdict(self), indent=1) + "\n").encode())


class Averaged:
    """The running average of a network's weights.

    Args:
        network: Network whose weights are followed.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.steps = 0

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Take in the weights after one iteration; early ones count less than `DECAY` says."""
        self.steps += 1
        decay = min(DECAY, self.steps / (self.steps + 10))
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)


def train(variant: Variant, task: str, seed: int, budget: Budget) -> Record:
    """Train one network until both budgets are met, scoring on the way.

    Args:
        variant: The network.
        task: Task to train.
        seed: Seed of weights, patches, damage and drawn k.
        budget: Budget that says when to score and to end.
    """
    data = _data(task, TRAINING, training=True)
    held_out = _pictures(_data(task, HELD_OUT), HELD_OUT_PICTURES)
    torch.manual_seed(seed)
    network = variant.build()
    record = Record(variant.name, task, seed, sum(p.numel() for p in network.parameters()))
    average = Averaged(network)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, BETAS, weight_decay=0.0)
    wanted_iterations, wanted_minutes = list(budget.iterations), list(budget.minutes)
    spent = 0.0
    while wanted_iterations or wanted_minutes:
        record.iterations += 1
        lq, gt = _batch(data, seed, record.iterations)
        began = time.process_time()
        _step(network, optimizer, variant, (lq, gt), seed, record.iterations)
        average.follow(network)
        spent += time.process_time() - began
        reached = []
        if wanted_iterations and record.iterations >= wanted_iterations[0]:
            reached.append((record.at_iterations, wanted_iterations.pop(0)))
        while wanted_minutes and spent >= 60 * wanted_minutes[0]:
            reached.append((record.at_minutes, wanted_minutes.pop(0)))  # type: ignore[arg-type]
        if reached:
            score = _score(average.network, held_out)
            for scores, where in reached:
                scores[where] = score
    record.seconds = spent / record.iterations
    _finish(record, variant, average.network, held_out)
    return record


def _finish(
    record: Record, variant: Variant, network: nn.Module, held_out: list[tuple[Tensor, Tensor]]
) -> None:
    """Score what is scored once, at the end."""
    record.cbsd68 = _score(network, _pictures(_data(record.task, CBSD68)))
    if variant.name in {"semanir", "k128", "k16", "k_drawn", "dense"}:
        for k in CURVE:
            set_keys(network, k)
            began = time.process_time()
            score = _score(network, held_out)
            record.curve[k] = score, time.process_time() - began
    if variant.name == "semanir":
        set_keys(network, variant.keys[0])
        record.overlap = dictionary_overlap(network, torch.cat([lq for lq, _ in held_out[:8]]))


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    variant: Variant,
    pair: tuple[Tensor, Tensor],
    seed: int,
    iteration: int,
) -> None:
    if len(variant.keys) > 1:
        set_keys(network, random.Random(f"{seed} {iteration}").choice(variant.keys))
    optimizer.zero_grad(set_to_none=True)
    lq, gt = pair
    ((network(lq) - gt).square() + 1e-6).sqrt().mean().backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()


def _batch(data: Any, seed: int, iteration: int) -> tuple[Tensor, Tensor]:
    """Patches (B, 3, H, W) that depend on seed and iteration alone."""
    draw = random.Random(f"patches {seed} {iteration}")
    items = []
    for _ in range(BATCH):
        state = torch.get_rng_state()
        torch.manual_seed(draw.getrandbits(62))  # which data sets take their randomness from
        items.append(data[draw.randrange(len(data))])
        torch.set_rng_state(state)
    return torch.stack([item["lq"] for item in items]), torch.stack([item["gt"] for item in items])


def _data(task: str, root: str, *, training: bool = False) -> Any:
    kind, options = TASKS[task]
    phase = {"phase": "train", "patch_size": PATCH, "cache": True} if training else {"phase": "val"}
    return kind({"dataroot_gt": root, **options, **phase})


def _pictures(data: Any, most: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """Middles of the first pictures of a set, (1, 3, SIDE, SIDE) each, degraded and clean."""
    pairs = []
    for index in range(min(len(data), most or len(data))):
        item = data[index]
        height, width = (max(0, (side - SIDE) // 2) for side in item["gt"].shape[-2:])
        middle = (..., slice(height, height + SIDE), slice(width, width + SIDE))
        pairs.append((item["lq"][middle][None], item["gt"][middle][None]))
    return pairs


@torch.no_grad()
def _score(network: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Mean PSNR in dB after rounding to 8 bits."""
    network.eval()
    scores = []
    for lq, gt in pairs:
        # every network gets whole windows, so that none sees a border that others do not
        short = [-side % WINDOW for side in lq.shape[-2:]]
        padded = pad(lq, (0, short[1], 0, short[0]), mode="reflect")
        out = network(padded)[..., : lq.shape[-2], : lq.shape[-1]]
        scores.append(psnr(quantize_uint8(out), quantize_uint8(gt)).item())
    return sum(scores) / len(scores)


def variant_named(name: str) -> Variant:
    """A variant by its name.

    Raises:
        ValueError: There is none.
    """
    if name not in VARIANTS:
        raise ValueError(f"{name!r} is no variant; there are {', '.join(VARIANTS)}")
    return VARIANTS[name]
