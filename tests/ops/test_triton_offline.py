"""The kernels' machine code for Hopper, compiled without a GPU: no spills, no more instructions."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

# Instructions per score, and bytes per thread that did not fit into registers, by Triton 3.6. One
# shape of each kind, and the narrowest and widest heads; `benchmarks/bench_offline.py` counts more.
RECORDED = {
    "bfloat16 d=32 N=1024": {"forward": (7.4, 0), "dq": (8.0, 0), "dkv": (10.4, 8)},
    "bfloat16 d=32 N=1024 bias": {
        "forward": (10.2, 0),
        "dq": (11.5, 0),
        "dkv": (10.1, 0),
        "dbias": (11.3, 0),
    },
    "bfloat16 d=128 N=1024 bias": {
        "forward": (12.6, 0),
        "dq": (14.2, 0),
        "dkv": (13.0, 0),
        "dbias": (17.7, 0),
    },
    "bfloat16 d=32 N=1024 union": {"forward": (7.6, 0), "dq": (8.2, 0)},
    "bfloat16 d=32 N=1024 bias union": {"forward": (12.7, 8), "dq": (15.7, 0)},
    "bfloat16 d=30 N=1024 bias packed": {
        "forward": (10.2, 0),
        "dq": (11.5, 0),
        "dkv": (10.0, 0),
        "dbias": (11.3, 0),
    },
    "bfloat16 d=32 N=64 bias": {
        "forward": (14.7, 0),
        "dq": (13.1, 0),
        "dkv": (11.0, 0),
        "dbias": (11.3, 0),
    },
    "float32 d=32 N=1024 bias": {
        "forward": (86.6, 0),
        "dq": (121.2, 0),
        "dkv": (177.5, 0),
        "dbias": (99.4, 0),
    },
}


@pytest.fixture(scope="module")
def bench():
    pytest.importorskip("triton")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        module = importlib.import_module("bench_offline")
    finally:
        sys.path.remove(str(BENCHMARKS))
    reason = module.why_not()
    if reason is not None:
        pytest.skip(reason)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_no_kernel_needs_more_instructions_than_recorded(bench, name):
    import triton

    dtype, head_dim, tokens, *words = name.split()
    shape = bench.Shape(
        getattr(torch, dtype),
        int(head_dim[2:]),
        "bias" in words,
        tokens=int(tokens[2:]),
        union="union" in words,
        packed="packed" in words,
        matrix="matrix" in words,
    )
    assert str(shape) == name
    for kernel, launch in bench.launches(shape):
        counted = bench.count(launch)
        per_score, stack = RECORDED[name][kernel]
        # Twice as many exponentials would mean that warps repeat each other's work.
        assert counted.exponentials <= 1.07, kernel
        if triton.__version__.startswith("3.6"):
            assert counted.per_score <= per_score * 1.02 + 0.1, kernel
            assert counted.stack <= stack, kernel


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_of_the_dictionary_stay_in_registers(bench, dtype):
    for kernel, launch in bench.dictionary_launches(dtype, 1024):
        assert bench.count(launch).stack == 0, kernel
