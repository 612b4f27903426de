"""How the fused kernels are laid over the work: blocks, arguments, and what they write.

A launch is prepared without running anything, on any device, so that the same launches can be
started on a GPU, stepped through in the interpreter, or compiled and counted where there is no GPU.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import triton as kernels
from .bias import fold, row_maximum, transposed, window_side

__all__ = ["Launch", "Tile", "Union", "backward", "forward", "plan_backward", "plan_forward"]


# Of a grid's first axis, on every GPU.
_MOST_PROGRAMS = 2**31 - 1


class Tile(NamedTuple):
    """Sizes of a kernel's blocks.

    Attributes:
        queries: Queries per block, BM.
        keys: Keys per block, BN; a multiple of 32.
        warps: Warps per program.
        stages: Depth of the software pipeline.
    """

    queries: int
    keys: int
    warps: int
    stages: int


class Union(NamedTuple):
    """Keys used by any query of each block; see `dictionary.union`."""

    keys: Tensor
    sizes: Tensor
    bits: Tensor
    block: int


class Launch(NamedTuple):
    """A kernel with everything it is called with."""

    kernel: Any
    programs: int
    arguments: dict[str, Any]
    tile: Tile

    def run(self) -> None:
        """Start the kernel on the current device.

        Raises:
            ValueError: If there is more work than one launch can hold.
        """
        if self.programs > _MOST_PROGRAMS:
            raise ValueError(
                f"{self.programs} blocks of work are more than one launch holds "
                f"({_MOST_PROGRAMS}): pass fewer windows at a time"
            )
        if self.programs:
            self.kernel[(self.programs,)](
                **self.arguments, num_warps=self.tile.warps, num_stages=self.tile.stages
            )


def forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    union: Union | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention over kept keys.

    Args:
        q: Shape (nW, h, N, D), D at most 128; rows contiguous.
        k: Keys, same shape and dtype.
        v: Values, same shape and dtype.
        bits: Shape (nW, N, ceil(N / 32)), int32, contiguous; None if every key is kept.
        bias: Shape (h, N, N), or strips as `bias.strips` cuts them; contiguous; or None.
        scale: Factor of the scores.
        union: The keys to visit; None for all.

    Returns:
        Output (nW, h, N, D), in memory (nW, N, h, D) as the next layer wants it, and the base-2
        logarithm of each row's sum of exponentials (nW, h, N), float32.
    """
    launch = plan_forward(q, k, v, bits, bias, scale, union)
    with torch.cuda.device_of(q):
        launch.run()
    return launch.arguments["o"], launch.arguments["lse"]


def backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    lse: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    union: Union | None = None,
    *,
    bias_gradient: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Gradients of `forward`'s output; arguments as there.

    Returns:
        Gradients of q, k, v, in memory (nW, N, h, D), and of the bias, float32, if asked.
    """
    launches = plan_backward(
        grad, q, k, v, o, lse, bits, bias, scale, union, bias_gradient=bias_gradient
    )
    with torch.cuda.device_of(q):
        for launch in launches:
            launch.run()
    own_queries, own_keys, *own_bias = (launch.arguments for launch in launches)
    dbias = None
    if bias is not None and own_bias:
        dbias = fold(own_bias[0]["dbias"].sum(dim=0), bias)
    return own_queries["dq"], own_keys["dk"], own_keys["dv"], dbias


def plan_forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    union: Union | None = None,
) -> Launch:
    """Allocate what `forward` writes and lay out its launch; works on the meta device."""
    tile = choose_tile("forward", q, bias, union)
    o, head_dim = _token_major(q), q.shape[3]
    q, k, v = map(_aligned, (q, k, v))
    half = q.dtype == torch.float16
    # Float16 has too few exponents for weights far below their bound.
    bound = bits is not None and not half and q.shape[2] >= _FIRST_BOUND
    key_norm = bias_max = None
    if bound:
        key_norm = torch.linalg.vector_norm(k, dim=-1, dtype=torch.float32).amax(dim=-1)
        bias_max = None if bias is None else row_maximum(bias).float()
    arguments = {
        **_common(tile, q, k, v, bits, bias, scale),
        **_listed(union, None if union is None or bias is None else transposed(bias)),
        "key_norm": key_norm,
        "bias_max": bias_max,
        "o": o,
        "lse": q.new_empty(q.shape[:3], dtype=torch.float32),
        "D": head_dim,
        **_strides("o", o),
        "BIAS": bias is not None,
        "BOUND": bound,
        # Weights of float16 are scaled by 2^14, to use both ends of its range.
        "SHIFT": 14.0 if half else 0.0,
        "ENOUGH": 1.0 if half else 2.0**-60,
    }
    programs = q.shape[0] * q.shape[1] * _cdiv(q.shape[2], tile.queries)
    return Launch(kernels.forward_kernel, programs, arguments, tile)


def plan_backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    lse: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    union: Union | None = None,
    *,
    bias_gradient: bool = False,
) -> list[Launch]:
    """The launches of `backward` in their order: dQ, then dK with dV, then the bias's if asked."""
    windows, heads, tokens, head_dim = q.shape
    dq, dk, dv = (_token_major(q) for _ in range(3))
    grad, q, k, v = map(_aligned, (grad, q, k, v))
    o = o if o.stride() == dq.stride() else torch.empty_like(dq).copy_(o)
    shared = {
        "do": grad,
        "lse": lse,
        "delta": torch.empty_like(lse),
        **_strides("do", grad),
    }
    gradient = {"scale": scale, "D": head_dim, "BIAS": bias is not None, **_strides("o", o)}

    across = None if bias is None else transposed(bias)

    tile = choose_tile("dq", q, bias, union)
    arguments = {
        **_common(tile, q, k, v, bits, bias, scale),
        **shared,
        **gradient,
        **_listed(union, across),
        "o": o,
        "dq": dq,
    }
    programs = windows * heads * _cdiv(tokens, tile.queries)
    launches = [Launch(kernels.dq_kernel, programs, arguments, tile)]

    tile = choose_tile("dkv", q, bias)
    arguments = {
        **_common(tile, q, k, v, bits, across, scale),
        **shared,
        **gradient,
        "dk": dk,
        "dv": dv,
    }
    programs = windows * heads * _cdiv(tokens, tile.keys)
    launches.append(Launch(kernels.dkv_kernel, programs, arguments, tile))

    if bias_gradient:
        tile = choose_tile("dbias", q, bias)
        tiles = heads * _cdiv(tokens, tile.queries) * _cdiv(tokens, tile.keys)
        # Small windows are many and have few blocks: shares of the windows keep the device busy.
        per_share = _cdiv(windows, max(1, _ENOUGH_PROGRAMS // tiles))
        shares = _cdiv(windows, per_share) if windows else 0
        arguments = {
            **_common(tile, q, k, v, bits, bias, scale),
            **shared,
            "dbias": q.new_empty((shares, heads, tokens, tokens), dtype=torch.float32),
            "windows": windows,
            "per_share": per_share,
        }
        launches.append(Launch(kernels.dbias_kernel, tiles * shares, arguments, tile))
    return launches


# Below this many tokens the two small launches for the bound cost more than it saves.
_FIRST_BOUND = 256

# Below this many tokens a row is read by so few blocks that a copy costs more than it saves.
_FIRST_COPY = 256

# Programs that fill a large GPU a few times over.
_ENOUGH_PROGRAMS = 1024

# Kernel -> bytes per number -> widest head -> blocks without and with bias: the fewest instructions
# per score that do not spill, by benchmarks/bench_offline.py.
_TILES: dict[str, dict[int, dict[int, tuple[Tile, Tile]]]] = {
    "forward": {
        2: {
            32: (Tile(128, 64, 4, 3), Tile(128, 128, 8, 2)),
            64: (Tile(128, 128, 8, 2), Tile(128, 128, 8, 2)),
            128: (Tile(128, 64, 8, 2), Tile(128, 64, 8, 2)),
        },
        4: {
            32: (Tile(64, 32, 4, 2), Tile(64, 32, 4, 1)),
            128: 2 * (Tile(32, 32, 4, 2),),
        },
    },
    "dq": {
        2: {
            32: (Tile(128, 64, 4, 2), Tile(128, 128, 8, 2)),
            64: (Tile(128, 128, 8, 2), Tile(128, 128, 8, 2)),
            128: (Tile(128, 64, 8, 2), Tile(128, 64, 8, 2)),
        },
        4: {
            32: 2 * (Tile(64, 32, 4, 2),),
            64: 2 * (Tile(32, 32, 4, 2),),
            128: 2 * (Tile(32, 32, 4, 1),),
        },
    },
    "dkv": {
        2: {
            32: (Tile(128, 64, 4, 2), Tile(64, 128, 4, 2)),
            64: (Tile(64, 64, 4, 2), Tile(128, 128, 8, 2)),
            128: (Tile(64, 128, 8, 2), Tile(64, 128, 8, 2)),
        },
        4: {
            32: 2 * (Tile(32, 32, 4, 2),),
            64: 2 * (Tile(32, 64, 4, 2),),
            128: 2 * (Tile(32, 32, 4, 1),),
        },
    },
    "dbias": {
        2: {128: 2 * (Tile(64, 64, 4, 2),)},
        4: {128: 2 * (Tile(32, 32, 4, 1),)},
    },
}
_SMALL_TILE = Tile(64, 64, 4, 2)

# Shared memory per program that the blocks of heads wider than 32 need; consumer GPUs have 99 KB.
_SHARED_BYTES = 150_000
_NARROW = 32


def choose_tile(kernel: str, q: Tensor, bias: Tensor | None, union: Union | None = None) -> Tile:
    """Blocks for a kernel ("forward", "dq", "dkv", "dbias") on queries (nW, h, N, D)."""
    by_width = _TILES[kernel][q.element_size()]
    width = next(width for width in by_width if q.shape[3] <= width)
    tile = by_width[width][bias is not None]
    if union is not None:
        tile = tile._replace(queries=union.block)
    if union is not None or q.element_size() == 4:
        return tile
    if width > _NARROW and q.is_cuda:
        # Absent from torch's type stubs.
        properties: Any = torch.cuda.get_device_properties(q.device)
        if properties.shared_memory_per_block_optin < _SHARED_BYTES:
            return _SMALL_TILE._replace(stages=1)
    # Masks for the ends of rows and columns take registers that large blocks do not have.
    uneven = q.shape[2] % tile.queries or q.shape[2] % tile.keys
    return _SMALL_TILE if uneven else tile


def _common(
    tile: Tile,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
) -> dict[str, Any]:
    """Arguments that all kernels have."""
    heads, tokens, stored = q.shape[1:]
    return {
        "q": q,
        "k": k,
        "v": v,
        "bits": bits,
        "bias": bias,
        **_strides("q", q),
        **_strides("k", k),
        **_strides("v", v),
        "heads": heads,
        "N": tokens,
        "words": _cdiv(tokens, 32),
        "factor": scale / math.log(2),
        "DI": stored,
        "BD": max(16, 1 << (stored - 1).bit_length()),
        "BM": tile.queries,
        "BN": tile.keys,
        "MASKED": bits is not None,
        "SIDE": 0 if bias is None else window_side(bias),
        "EVEN": tokens % tile.queries == 0 and tokens % tile.keys == 0,
        "PRECISION": _precision(q.dtype),
    }


def _listed(union: Union | None, across: Tensor | None) -> dict[str, Any]:
    if union is None:
        return {"union_keys": None, "union_sizes": None, "UNION": False}
    # What is kept is then said of places in the list.
    return {
        "union_keys": union.keys,
        "union_sizes": union.sizes,
        "bits": union.bits,
        "bias": across,
        "UNION": True,
    }


def _aligned(x: Tensor) -> Tensor:
    """`x`, or where its rows are no whole 16 bytes and are read often, a copy padded with zeros."""
    odd = x.shape[3] * x.element_size() % 16
    if x.element_size() == 4 or not odd or x.shape[2] < _FIRST_COPY:
        return x
    return torch.nn.functional.pad(x, (0, (16 - odd) // x.element_size()))


def _precision(dtype: torch.dtype) -> str:
    exact = dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    return "ieee" if exact else "tf32"


def _strides(name: str, x: Tensor) -> dict[str, int]:
    return dict(zip((f"{name}_w", f"{name}_h", f"{name}_n"), x.stride(), strict=False))


def _token_major(q: Tensor) -> Tensor:
    """New tensor (nW, h, N, D) with the heads of a token side by side."""
    windows, heads, tokens, head_dim = q.shape
    return q.new_empty((windows, tokens, heads, head_dim)).transpose(1, 2)


def _cdiv(a: int, b: int) -> int:
    return -(-a // b)
