"""The dictionary's kernels: similarities of a block of rows, and the choice of its largest entries.

Similarities exist only for some blocks of rows at a time. A row's k-th largest entry is found by
bisection: floats are compared as integers of the same order, and the interval is halved until k
entries lie above, or until one value is left and its ties are settled by index.
"""

# Arguments of kernels are pointers, numbers and compile-time constants; Triton infers their types.
# ruff: noqa: ANN001, ANN202
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["SelectionLaunch", "plan", "select"]

_SCRATCH_BYTES = 32 * 2**20
_LOWEST = tl.constexpr(-(2**31))


class SelectionLaunch(NamedTuple):
    """A kernel with everything it is called with."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: dict[str, Any]
    warps: int
    stages: int

    def run(self) -> None:
        """Start the kernel on the current device."""
        self.kernel[self.grid](**self.arguments, num_warps=self.warps, num_stages=self.stages)


@triton.jit
def _similarity_kernel(
    x,
    similarity,
    x_w,
    x_n,
    first,
    N,
    C,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Inner products of a block of rows with a block of the window's tokens."""
    column_blocks = tl.cdiv(N, BN)
    row_blocks = tl.cdiv(N, BM)
    local = tl.program_id(0) // column_blocks
    block = first + local
    window = (block // row_blocks).to(tl.int64)
    rows = block % row_blocks * BM + tl.arange(0, BM)
    columns = tl.program_id(0) % column_blocks * BN + tl.arange(0, BN)
    x += window * x_w
    acc = tl.zeros([BM, BN], tl.float32)
    for start in range(0, C, BC):
        channels = start + tl.arange(0, BC)
        inside = channels[None, :] < C
        a = tl.load(
            x + rows[:, None] * x_n + channels[None, :],
            mask=inside & (rows[:, None] < N),
            other=0.0,
        )
        b = tl.load(
            x + columns[:, None] * x_n + channels[None, :],
            mask=inside & (columns[:, None] < N),
            other=0.0,
        )
        acc = tl.dot(a, tl.trans(b), acc, input_precision=PRECISION)
    place = (local * BM + tl.arange(0, BM))[:, None] * N + columns[None, :]
    tl.store(similarity + place, acc, mask=(rows[:, None] < N) & (columns[None, :] < N))


@triton.jit
def _select_kernel(
    similarity,
    groups,
    bits,
    first,
    k,
    N,
    words,
    BM: tl.constexpr,
    NP: tl.constexpr,
    GROUPED: tl.constexpr,
):
    """Choose the k largest entries of one row; NP is N's next power of two, at least 32."""
    local = tl.program_id(0)
    row_blocks = tl.cdiv(N, BM)
    block = first + local // BM
    window = (block // row_blocks).to(tl.int64)
    row = block % row_blocks * BM + local % BM
    if row < N:
        column = tl.arange(0, NP)
        eligible = column < N
        # Adding 0 turns -0.0 into 0.0, which compares equal as a number but not as bits.
        s = tl.load(similarity + local * N + column, mask=eligible, other=0.0) + 0.0
        if GROUPED:
            group = tl.load(groups + window * N + column, mask=eligible, other=0)
            eligible = eligible & (group == tl.load(groups + window * N + row))
        key = s.to(tl.int32, bitcast=True)
        key = tl.where(eligible, key ^ ((key >> 31) & 0x7FFFFFFF), _LOWEST)

        low = tl.min(key, 0)
        high = tl.max(key, 0)
        while low < high:
            # The mean rounded up, without overflow.
            middle = (low & high) + ((low ^ high) >> 1) + ((low ^ high) & 1)
            count = tl.sum((key >= middle).to(tl.int32), 0)
            low = tl.where(count >= k, middle, low)
            high = tl.where(count == k, middle, tl.where(count > k, high, middle - 1))
        keep = (key >= low) & eligible
        if tl.sum(keep.to(tl.int32), 0) > k:
            above = key > low
            tied = (keep & (key == low)).to(tl.int32)
            spare = k - tl.sum(above.to(tl.int32), 0)
            keep = keep & (above | (tl.cumsum(tied, 0) <= spare))

        shifted = tl.reshape(keep.to(tl.int32), [NP // 32, 32]) << tl.arange(0, 32)[None, :]
        word = tl.arange(0, NP // 32)
        tl.store(bits + (window * N + row) * words + word, tl.sum(shifted, 1), mask=word < words)


def select(x: Tensor, k: int, groups: Tensor | None) -> Tensor:
    """Select as `threshold.select_bits` does, for x of any floating dtype up to 32 bits."""
    bits = x.new_empty((*x.shape[:2], triton.cdiv(x.shape[1], 32)), dtype=torch.int32)
    with torch.cuda.device_of(x):
        for launch in plan(x, k, groups, bits):
            launch.run()
    return bits


def plan(x: Tensor, k: int, groups: Tensor | None, bits: Tensor) -> list[SelectionLaunch]:
    """The launches of `select`, in pairs over one scratch; works on the meta device."""
    num_windows, num_tokens, channels = x.shape
    # Rows and columns of a block of similarities, and warps.
    tile, columns, warps = (128, 128, 8) if x.element_size() == 2 else (64, 64, 4)
    padded = max(32, triton.next_power_of_2(num_tokens))
    blocks = num_windows * triton.cdiv(num_tokens, tile)
    chunk = max(1, min(blocks, _SCRATCH_BYTES // (4 * tile * num_tokens)))
    similarity = x.new_empty(chunk * tile * num_tokens, dtype=torch.float32)
    launches = []
    for first in range(0, blocks, chunk):
        count = min(chunk, blocks - first)
        product = {
            "x": x,
            "similarity": similarity,
            "x_w": x.stride(0),
            "x_n": x.stride(1),
            "first": first,
            "N": num_tokens,
            "C": channels,
            "BM": tile,
            "BN": columns,
            "BC": 32,
            "PRECISION": _precision(x.dtype),
        }
        grid = (count * triton.cdiv(num_tokens, columns),)
        launches.append(SelectionLaunch(_similarity_kernel, grid, product, warps, stages=3))
        choice = {
            "similarity": similarity,
            "groups": groups,
            "bits": bits,
            "first": first,
            "k": k,
            "N": num_tokens,
            "words": bits.shape[2],
            "BM": tile,
            "NP": padded,
            "GROUPED": groups is not None,
        }
        row_warps = max(1, min(8, padded // 1024))
        launches.append(
            SelectionLaunch(_select_kernel, (count * tile,), choice, row_warps, stages=1)
        )
    return launches


def _precision(dtype: torch.dtype) -> str:
    # Products of 16-bit numbers are exact. Plain TF32 would round float32 features to 11 bits;
    # the sum of three TF32 products keeps 21, where the user allows less than exact products.
    exact = dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    return "ieee" if exact else "tf32x3"
