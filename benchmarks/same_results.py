"""Do two environments restore alike? Results of all shipped networks, written and compared.

    python benchmarks/same_results.py write newest.npz      # in one environment
    python benchmarks/same_results.py write lowest.npz      # in another
    python benchmarks/same_results.py compare newest.npz lowest.npz

The picture is a crop of scikit-image's cat with noise of sigma 25; every network restores it on the
CPU with one thread, in float32 and in bfloat16. `compare` prints the largest difference of each, on
the range 0 to 1, and ends with 1 if one is above `BOUNDS`. docs/systems.md has what was measured.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch

from semanir_arch import Restorer
from semanir_arch.weights import available

BOUNDS = {"fp32": 1e-5, "bf16": 1e-2}
"""Largest differences that are allowed; a step of 8 bits is 3.9e-3."""


def main() -> int:
    """Write or compare.

    Returns:
        0, or 1 if results differ by more than their bound.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    jobs.add_parser("write").add_argument("file", type=Path)
    files = jobs.add_parser("compare")
    files.add_argument("first", type=Path)
    files.add_argument("second", type=Path)
    arguments = parser.parse_args()
    if arguments.job == "compare":
        return compare(arguments.first, arguments.second)
    results = restore_all()
    np.savez(arguments.file, **results)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    sys.stdout.write(f"{arguments.file}: {len(results)} results, {versions}\n")
    return 0


def restore_all() -> dict[str, Any]:
    """(H, W, 3) float32, by the network's task and the precision."""
    torch.set_num_threads(1)
    photo = skimage.data.chelsea()[60:156, 110:238].astype(np.float32) / 255
    noise = np.random.default_rng(0).normal(0, 25 / 255, photo.shape).astype(np.float32)
    noisy = np.clip(photo + noise, 0, 1)
    return {
        f"{weights.task.name} {precision}": Restorer(
            task=weights.task.name, device="cpu", precision=precision
        ).restore(noisy)
        for precision in BOUNDS
        for weights in available()
    }


def compare(first: Path, second: Path) -> int:
    """Print the differences.

    Returns:
        0, or 1 if one is above its bound or the files hold different networks.
    """
    ours, others = np.load(first), np.load(second)
    if set(ours) != set(others):
        sys.stdout.write(f"only in one of them: {', '.join(sorted(set(ours) ^ set(others)))}\n")
        return 1
    is_within = True
    for precision, bound in BOUNDS.items():
        names = [name for name in ours if name.endswith(precision)]
        found = {name: float(np.abs(ours[name] - others[name]).max()) for name in names}
        for name, difference in found.items():
            sys.stdout.write(f"{name:18} {difference:.1e}\n")
        same = sum(np.array_equal(ours[name], others[name]) for name in names)
        largest = max(found.values())
        sys.stdout.write(
            f"{precision}: equal to the bit: {same} of {len(names)}; largest difference: "
            f"{largest:.1e}, allowed: {bound:.0e}\n"
        )
        is_within &= largest <= bound
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
