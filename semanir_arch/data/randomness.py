"""Where the randomness of data sets comes from."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

_SEEDS = 2**63 - 1


def item_generator() -> torch.Generator:
    """A generator for one training item, seeded from PyTorch's global state.

    The loader gives every worker a new PyTorch seed at each pass over the data, so crops, flips
    and noise differ between workers and passes, with and without workers, and `torch.manual_seed`
    reproduces a run. NumPy's and Python's global states cannot do that: BasicSR's
    `worker_init_fn` sets them to the same values at the start of every pass.
    """
    seed = int(torch.randint(_SEEDS, ()))
    return torch.Generator().manual_seed(seed)


def named_generator(name: str, seed: int = 0) -> torch.Generator:
    """A generator for one image of a test set, the same each time.

    It is seeded from the SHA-256 of `seed/name`, so that an image's degradation depends neither on
    its place in the set nor on the other images.

    Args:
        name: Name of the image within its set.
        seed: Seed of the set.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    # manual_seed takes 64 bits, signed
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number drawn uniformly from [low, high)."""
    return low + (high - low) * float(torch.rand((), dtype=torch.float64, generator=generator))


def integer(stop: int, generator: torch.Generator) -> int:
    """An integer drawn uniformly from 0 to `stop` - 1."""
    return int(torch.randint(stop, (), generator=generator))


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A NumPy generator that continues the randomness of a PyTorch one.

    Args:
        generator: Generator from which one number is drawn, the seed of the new one. The algorithm
            is named (PCG64), because NumPy may change its default.
    """
    seed = int(torch.randint(_SEEDS, (), generator=generator))
    return np.random.Generator(np.random.PCG64(seed))


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """The opposite of `numpy_generator`: a PyTorch generator that continues a NumPy one."""
    return torch.Generator().manual_seed(int(rng.integers(_SEEDS)))
