"""Measure one network, in a process of its own: `python benchmarks/network_costs.py CASE`.

CASE is JSON, the result too; `bench_archs.py` starts it. A process of its own because neither a
process's peak memory nor what earlier cases left in its caches can be reset.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from fragments import network_options
from measure import compare
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from semanir_arch import host
from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.archs.ramit_arch import RAMIT_PRESETS

__all__ = ["CANDIDATES", "EQUATIONS", "Candidate"]


class Candidate(NamedTuple):
    """A network to measure.

    Args:
        build: Function that builds the network.
        side: Pixels of the image it restores; a few seconds' work for a CPU.
        parameters: Published number of parameters, in millions.
        cost: Published cost, 10^9 multiply-adds, with the size it is for.
    """

    build: Callable[[], nn.Module]
    side: int
    parameters: str = "-"
    cost: tuple[float, int, int] | None = None


def _fragment(name: str, **values: object) -> nn.Module:
    return build_network(network_options(name, **values))


def _ramit(preset: str, task: str) -> nn.Module:
    return build_network({"type": "RAMiT", "task": task, **RAMIT_PRESETS[preset]})


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


CANDIDATES = {
    "SemanIR light x2": Candidate(partial(_fragment, "semanir_light", scale=2, channels=3), 64),
    "SemanIR small x2": Candidate(
        partial(_fragment, "semanir_small", scale=2, channels=3), 64, "11.87"
    ),
    "SemanIRUNet base": Candidate(
        partial(_fragment, "semanir_unet_base", channels=3), 128, "25.82"
    ),
    "Restormer, WithBias": Candidate(
        partial(build_network, {"type": "Restormer"}), 128, "26.13", (140.99, 256, 256)
    ),
    "Restormer, BiasFree": Candidate(
        partial(_fragment, "restormer", channels=3, LayerNorm_type="BiasFree"),
        128,
        "26.11",
        (140.99, 256, 256),
    ),
    "RAMiT denoising": Candidate(
        partial(_ramit, "RAMiT", "denoising_color"), 128, "0.935", (43.2, 256, 256)
    ),
    "RAMiT x2": Candidate(partial(_ramit, "RAMiT", "sr_x2"), 128, "0.940", (163.4, 384, 640)),
    "RAMiT-1 denoising": Candidate(
        partial(_ramit, "RAMiT-1", "denoising_color"), 128, "0.818", (39.4, 256, 256)
    ),
    "RAMiT-slimSR x2": Candidate(
        partial(_ramit, "RAMiT-slimSR", "sr_x2"), 128, "0.581", (127.8, 384, 640)
    ),
    "RAMiT-slimLLE": Candidate(
        partial(_ramit, "RAMiT-slimLLE", "low_light"), 128, "0.358", (17.6, 256, 256)
    ),
    "SwinIR (BasicSR)": Candidate(_swinir, 128),
}

EQUATIONS = ("Restormer, BiasFree", "RAMiT")
"""Networks that are compared with the plain equations of the tests."""


def measure_network(name: str, side: int, device: str, rounds: int) -> dict[str, float | None]:
    """Size, cost, milliseconds and MiB of one network on a color image of `side` pixels."""
    candidate = CANDIDATES[name]
    torch.manual_seed(0)
    network = candidate.build().to(device)
    image = torch.rand(1, 3, side, side, device=device)
    memory = _Memory(device)
    forward_memory = memory.peak_of(partial(forward, network, image))
    times = compare(
        {
            "float32": partial(forward, network, image),
            "bfloat16": partial(forward, network, image, reduced=True),
        },
        rounds,
        1,
    )
    step_memory = memory.peak_of(partial(backward, network, image))
    step = compare({"step": partial(backward, network, image)}, max(rounds // 2, 1), 0)
    cost = published = None
    if name != "SwinIR (BasicSR)":
        cost = count_multiply_adds(candidate.build, side, side)
        if candidate.cost is not None:
            published = count_multiply_adds(candidate.build, *candidate.cost[1:])
    return {
        "parameters": float(sum(p.numel() for p in network.parameters())),
        "cost": cost if cost is not None else _count_running(network, image),
        "cost_at_published_size": published,
        **{kind: timing.median for kind, timing in (times | step).items()},
        "forward_memory": forward_memory,
        "step_memory": step_memory,
    }


def measure_equations(name: str, side: int, rounds: int) -> dict[str, float]:
    """Milliseconds of a network and of its plain equations on the CPU, and their difference."""
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.archs.naive_ramit import NaiveRAMiT
    from tests.archs.naive_restormer import NaiveRestormer

    naive: nn.Module
    if name == "RAMiT":
        naive, network = NaiveRAMiT(helper=False), _ramit("RAMiT", "denoising_real")
    else:
        naive, network = NaiveRestormer(LayerNorm_type="BiasFree"), CANDIDATES[name].build()
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
    return {
        **{kind: timing.median for kind, timing in times.items()},
        "faster": times["equations"].ratio(times["float32"]),
        "bfloat16_faster": times["float32"].ratio(times["bfloat16"]),
        "difference": float((forward(network, image) - forward(naive, image)).abs().max()),
    }


def count_multiply_adds(build: Callable[[], nn.Module], height: int, width: int) -> float:
    """10^9 multiply-adds of convolutions and matrix products, counted without computing them.

    Attention is counted with every key of a window, as its defining form computes it.
    """
    with torch.device("meta"):
        network = build()
        image = torch.empty(1, 3, height, width)
    if isinstance(network, KeySemanticNetwork):
        network.backend = "naive"
    return _count_running(network, image)


def _count_running(network: nn.Module, image: Tensor) -> float:
    # the counter follows gradients, and stumbles over parts of weights that have none
    network.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return counter.get_total_flops() / 2e9


def forward(network: nn.Module, image: Tensor, *, reduced: bool = False) -> Tensor:
    """Restore without gradients; in bfloat16 autocast if `reduced`."""
    with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, reduced):
        out: Tensor = network.eval()(image)
        return out.float()


def backward(network: nn.Module, image: Tensor) -> None:
    """Forward and backward, without the optimizer's step."""
    network.train().zero_grad()
    network(image).abs().mean().backward()


class _Memory:
    """MiB above those at the start: on a GPU as torch counts, on a CPU of the whole process."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.start = self._now("VmRSS")

    def peak_of(self, run: Callable[[], object]) -> float:
        """Run once and return the peak."""
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            # 5 lets Linux forget the peak so far
            Path("/proc/self/clear_refs").write_text("5")
        run()
        return self._now("VmHWM") - self.start

    def _now(self, field: str) -> float:
        if self.device == "cuda":
            peak = field == "VmHWM"
            held = torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
            return held / 2**20
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 2**10


def main() -> None:
    """Measure the case that the command line gives, and print the result."""
    case: dict[str, Any] = json.loads(sys.argv[1])
    kind = case.pop("kind")
    measure = measure_network if kind == "network" else measure_equations
    sys.stdout.write(json.dumps(measure(**case)))


if __name__ == "__main__":
    main()
