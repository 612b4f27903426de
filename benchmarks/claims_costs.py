"""Time and memory of a stage against window and k, and of a training step with other sharing."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from claims_variants import VARIANTS
from torch import nn

from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.utils.memory import peak_memory

__all__ = ["exponent", "measure_all"]

WIDTH, DEPTH, HEADS, SIDE = 48, 4, 3, 128
WINDOWS = (16, 32, 64)
KEYS = (32, 64, 128, 256, 512)
ROUNDS = 3
SHARING = ("semanir", "per_layer", "dense")

Measured = tuple[float, float]
"""Processor seconds of forward and backward (median), and MiB above what a process needs."""


def measure_all() -> dict[str, Any]:
    """Every measurement, each in a process of its own, since peak memory cannot be reset.

    Returns:
        By kind of measurement: "windows k 64", "windows dense" (by window), "keys" (by k, window
        32) and "sharing" (by variant).
    """
    return {
        "windows k 64": {w: _apart({"window": w, "k": 64}) for w in WINDOWS},
        "windows dense": {w: _apart({"window": w, "k": w * w}) for w in WINDOWS},
        "keys": {k: _apart({"window": 32, "k": k}) for k in KEYS},
        "sharing": {name: _apart({"variant": name}) for name in SHARING},
    }


def exponent(by: dict[str, Measured], which: int) -> float:
    """Slope of the logarithm of time (`which` 0) or memory (1) over that of the key."""
    xs = [math.log(float(key)) for key in by]
    ys = [math.log(max(values[which], 1e-9)) for values in by.values()]
    slope, _ = statistics.linear_regression(xs, ys)
    return slope


def _apart(case: dict[str, Any]) -> Measured:
    command = [sys.executable, __file__, json.dumps(case)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def _measure(case: dict[str, Any]) -> Measured:
    torch.manual_seed(0)
    if "variant" in case:
        network = VARIANTS[case["variant"]].build()
        shape: Sequence[int] = (2, 3, 64, 64)
    else:
        network = KeySemanticStage(WIDTH, DEPTH, HEADS, case["window"], k=case["k"], bias_dim=64)
        shape = (1, WIDTH, SIDE, SIDE)
    step = _step(network, torch.rand(shape))
    before = peak_memory() or 0
    step()
    memory = ((peak_memory() or 0) - before) / 2**20
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        step()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds), memory


def _step(network: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        network.zero_grad(set_to_none=True)
        network(x).square().mean().backward()

    return step


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(json.loads(sys.argv[1]))))
