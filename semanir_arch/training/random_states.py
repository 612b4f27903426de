"""Random states as a function of the seed and a position, so that none has to be saved.

BasicSR seeds its loading processes with a number that has no pass in it, so that crops and noise
repeat in every pass, and nothing brings the states back after a resume.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

from semanir_arch.utils import devices

__all__ = ["Purpose", "derive_seed", "preserved_states", "seed_process", "seed_sample"]


class Purpose(IntEnum):
    """Purpose of a stream of random numbers; streams of one seed are independent."""

    ORDER = 0
    SAMPLE = 1
    STEP = 2
    VALIDATION = 3


def derive_seed(seed: int, purpose: Purpose, *position: int) -> int:
    """A seed for one place in a stream.

    Args:
        seed: The run's `manual_seed`.
        purpose: Name of the random stream.
        position: Position in the stream, numbers of 0 or more.

    Returns:
        A number of 64 bits.
    """
    place = " ".join(map(str, (seed, int(purpose), *position)))
    digest = hashlib.blake2b(place.encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def seed_process(seed: int, purpose: Purpose, *position: int) -> None:
    """Set the global states of `random`, NumPy and torch (CPU and GPUs) in this process."""
    derived = derive_seed(seed, purpose, *position)
    _seed_cpu(derived)
    devices.seed(derived)


def seed_sample(seed: int, position: int) -> None:
    """Set the global states on the CPU for one training sample.

    Datasets draw from `random`, from NumPy or from torch; all three are set. The GPU, which trains
    meanwhile, is left alone.

    Args:
        seed: The run's `manual_seed`.
        position: Place of the sample in the whole training, counted from 0.
    """
    _seed_cpu(derive_seed(seed, Purpose.SAMPLE, position))


@contextmanager
def preserved_states() -> Iterator[None]:
    """Bring the global states on the CPU back when the block ends."""
    former = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(former[0])
        np.random.set_state(former[1])  # noqa: NPY002
        torch.set_rng_state(former[2])


def _seed_cpu(derived: int) -> None:
    random.seed(derived)
    np.random.seed(derived % 2**32)  # noqa: NPY002 - the generator that BasicSR's datasets use
    torch.default_generator.manual_seed(derived)
