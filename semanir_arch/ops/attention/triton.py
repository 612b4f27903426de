"""Fused key-semantic attention: the kernels, and how they are laid over the work.

Forward: scores of a block of queries with the keys of its window, softmax and product with the
values in one pass (Dao et al., arXiv 2205.14135), the choice of keys read as bits and expanded in
registers. A key that is not kept is dropped after the exponential, which is cheaper than before a
running maximum but needs care: the shift of the softmax must come from elsewhere and is checked.

Backward: one pass that owns queries (dQ), one that owns keys (dK, dV), one that owns scores and
loops over the windows (the bias's gradient). Nothing is added atomically: results do not vary.

Exponentials and logarithms have base 2: a score is (q . k) scale log2(e) + bias log2(e).

Legend: h heads, N tokens per window, D channels per head, BD its next power of two, BM queries and
BN keys per block. Offsets of windows and heads are 64-bit; `fused` keeps the others below 2^31.
"""

# Arguments of kernels are pointers, numbers and compile-time constants; Triton infers their types.
# ruff: noqa: ANN001, ANN202, ANN003
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, warn-unreachable=False

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["Launch", "Tile", "Union", "backward", "forward", "plan_backward", "plan_forward"]

_LOG2E = tl.constexpr(1 / math.log(2))

# Where the shift of the softmax comes from.
_BOUND = tl.constexpr(0)  # an upper bound of the row's scores, known beforehand
_ALL = tl.constexpr(1)  # the running maximum over all keys
_KEPT = tl.constexpr(2)  # the running maximum over the kept keys

# A bound this far (in powers of two) above zero is likely to underflow what matters: not tried.
_LOOSE_BOUND = tl.constexpr(60.0)


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
    """For each block of queries, the keys used by any of them; see `dictionary.union`."""

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
        """Start the kernel on the current device."""
        if self.programs:
            self.kernel[(self.programs,)](
                **self.arguments, num_warps=self.tile.warps, num_stages=self.tile.stages
            )


@triton.jit
def _expand(words, BM: tl.constexpr, BN: tl.constexpr):
    """Bits of words (BM, BN / 32) as booleans (BM, BN)."""
    bits = (words[:, :, None] >> tl.arange(0, 32)[None, None, :]) & 1
    return tl.reshape(bits, [BM, BN]) != 0


@triton.jit
def _kept(
    bits,
    window,
    rows,
    start,
    N,
    words,
    MASKED: tl.constexpr,
    EVEN: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
):
    """Which of the keys from `start` on each query keeps: (BM, BN)."""
    if MASKED:
        column = start // 32 + tl.arange(0, BN // 32)
        pointers = bits + window * N * words + rows[:, None] * words + column[None, :]
        if EVEN:
            loaded = tl.load(pointers)
        else:
            inside = (rows[:, None] < N) & (column[None, :] < words)
            loaded = tl.load(pointers, mask=inside, other=0)
        keep = _expand(loaded, BM, BN)
    else:
        keys = start + tl.arange(0, BN)
        keep = (rows[:, None] < N) & (keys[None, :] < N)
    return keep


@triton.jit
def _rows(base, rows, stride, N, D: tl.constexpr, BD: tl.constexpr, EVEN: tl.constexpr):
    """Rows of a matrix (N, D) with zeros beyond it: (rows, BD)."""
    channel = tl.arange(0, BD)
    pointers = base + rows[:, None] * stride + channel[None, :]
    if EVEN and D == BD:
        x = tl.load(pointers)
    elif EVEN:
        x = tl.load(pointers, mask=channel[None, :] < D, other=0.0)
    else:
        x = tl.load(pointers, mask=(rows[:, None] < N) & (channel[None, :] < D), other=0.0)
    return x


@triton.jit
def _store_rows(base, rows, stride, N, x, D: tl.constexpr, BD: tl.constexpr):
    channel = tl.arange(0, BD)
    inside = (rows[:, None] < N) & (channel[None, :] < D)
    pointers = base + rows[:, None] * stride + channel[None, :]
    tl.store(pointers, x.to(base.dtype.element_ty), mask=inside)


@triton.jit
def _bias_tile(bias, rows, keys, N, EVEN: tl.constexpr):
    """Bias of a block in base 2; `bias` points to the head's matrix (N, N)."""
    pointers = bias + rows[:, None] * N + keys[None, :]
    if EVEN:
        tile = tl.load(pointers)
    else:
        tile = tl.load(pointers, mask=(rows[:, None] < N) & (keys[None, :] < N), other=0.0)
    return tile.to(tl.float32) * _LOG2E


@triton.jit
def _keys(union_keys, start, size, N, UNION: tl.constexpr, BN: tl.constexpr):
    """Tokens at the places from `start` on: themselves, or what the union's list names there."""
    place = start + tl.arange(0, BN)
    if UNION:
        keys = tl.load(union_keys + place, mask=place < size, other=0).to(tl.int32)
    else:
        keys = place
    return keys


@triton.jit
def _attend(
    q,
    k,
    v,
    bits,
    bias,
    union_keys,
    window,
    rows,
    shift,
    size,
    k_n,
    v_n,
    N,
    words,
    factor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    UNION: tl.constexpr,
    EVEN: tl.constexpr,
    SHIFT: tl.constexpr,
    MODE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Sum over `size` keys: weighted values (BM, BD), weights (BM,), and the shift they share."""
    acc = tl.zeros([BM, BD], tl.float32)
    total = tl.zeros([BM], tl.float32)
    for start in range(0, size, BN):
        keys = _keys(union_keys, start, size, N, UNION, BN)
        kt = _rows(k, keys, k_n, N, D, BD, EVEN or UNION)
        s = tl.dot(q, tl.trans(kt), input_precision=PRECISION) * factor
        if BIAS:
            s += _bias_tile(bias, rows, keys, N, EVEN)
        keep = _kept(bits, window, rows, start, N, words, MASKED, EVEN, BM, BN)
        if MODE == _BOUND:
            p = tl.where(keep, tl.exp2(s - shift[:, None]), 0.0)
        else:
            if MODE == _KEPT:
                s = tl.where(keep, s, float("-inf"))
            raised = tl.maximum(shift, tl.max(s, 1) - SHIFT)
            # No key kept so far: -inf - (-inf) would be NaN.
            safe = tl.where(raised == float("-inf"), 0.0, raised)
            shrink = tl.exp2(shift - safe)
            p = tl.where(keep, tl.exp2(s - safe[:, None]), 0.0)
            acc *= shrink[:, None]
            total *= shrink
            shift = raised
        total += tl.sum(p, 1)
        vt = _rows(v, keys, v_n, N, D, BD, EVEN or UNION)
        acc = tl.dot(p.to(vt.dtype), vt, acc, input_precision=PRECISION)
    return acc, total, shift


@triton.jit
def _forward_kernel(
    q,
    k,
    v,
    bits,
    bias,
    key_norm,
    bias_max,
    union_keys,
    union_sizes,
    o,
    lse,
    q_w,
    q_h,
    q_n,
    k_w,
    k_h,
    k_n,
    v_w,
    v_h,
    v_n,
    o_w,
    o_h,
    o_n,
    heads,
    N,
    words,
    factor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    UNION: tl.constexpr,
    EVEN: tl.constexpr,
    BOUND: tl.constexpr,
    SHIFT: tl.constexpr,
    ENOUGH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    # Heads run fastest: those of a window share its words in the cache.
    program = tl.program_id(0)
    head = (program % heads).to(tl.int64)
    blocks = tl.cdiv(N, BM)
    block = program // heads % blocks
    window = (program // heads // blocks).to(tl.int64)
    rows = block * BM + tl.arange(0, BM)

    q += window * q_w + head * q_h
    k += window * k_w + head * k_h
    v += window * v_w + head * v_h
    if BIAS:
        bias += head * N * N
    size = N
    if UNION:
        entry = window * blocks + block
        union_keys += entry * N
        size = tl.load(union_sizes + entry)

    qt = _rows(q, rows, q_n, N, D, BD, EVEN)
    shift = tl.full([BM], float("-inf"), tl.float32)
    fast_size = size
    if BOUND:
        # |q . k| <= |q| |k| (Cauchy-Schwarz).
        wide = qt.to(tl.float32)
        norm = tl.load(key_norm + window * heads + head) * tl.abs(factor)
        shift = tl.sqrt(tl.sum(wide * wide, 1)) * norm
        fast_size = tl.where(tl.max(shift) <= _LOOSE_BOUND, size, 0)
        if BIAS:
            shift += tl.load(bias_max + head * N + rows, mask=rows < N, other=0.0) * _LOG2E
        acc, total, shift = _attend(
            qt, k, v, bits, bias, union_keys, window, rows, shift, fast_size, k_n, v_n, N, words, factor,
            D, BD, BM, BN, MASKED, BIAS, UNION, EVEN, SHIFT, _BOUND, PRECISION,
        )  # fmt: skip
    else:
        acc, total, shift = _attend(
            qt, k, v, bits, bias, union_keys, window, rows, shift, size, k_n, v_n, N, words, factor,
            D, BD, BM, BN, MASKED, BIAS, UNION, EVEN, SHIFT, _ALL, PRECISION,
        )  # fmt: skip
    if MASKED:
        # Weights may have vanished beside keys that are not kept, or below a loose bound; NaN, from
        # a key that is not kept, fails the comparison too.
        fine = (total >= ENOUGH) | (rows >= N)
        if tl.min(fine.to(tl.int32)) == 0:
            shift = tl.full([BM], float("-inf"), tl.float32)
            acc, total, shift = _attend(
                qt, k, v, bits, bias, union_keys, window, rows, shift, size, k_n, v_n, N, words, factor,
                D, BD, BM, BN, MASKED, BIAS, UNION, EVEN, SHIFT, _KEPT, PRECISION,
            )  # fmt: skip

    _store_rows(o + window * o_w + head * o_h, rows, o_n, N, acc / total[:, None], D, BD)
    tl.store(lse + (window * heads + head) * N + rows, shift + tl.log2(total), mask=rows < N)


@triton.jit
def _dq_kernel(
    q,
    k,
    v,
    do,
    o,
    lse,
    delta,
    bits,
    bias,
    union_keys,
    union_sizes,
    dq,
    q_w,
    q_h,
    q_n,
    k_w,
    k_h,
    k_n,
    v_w,
    v_h,
    v_n,
    do_w,
    do_h,
    do_n,
    o_w,
    o_h,
    o_n,
    heads,
    N,
    words,
    factor,
    scale,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    UNION: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient of a block of queries; also delta = sum(o do), which the other passes read."""
    program = tl.program_id(0)
    head = (program % heads).to(tl.int64)
    blocks = tl.cdiv(N, BM)
    block = program // heads % blocks
    window = (program // heads // blocks).to(tl.int64)
    rows = block * BM + tl.arange(0, BM)

    k += window * k_w + head * k_h
    v += window * v_w + head * v_h
    if BIAS:
        bias += head * N * N
    size = N
    if UNION:
        entry = window * blocks + block
        union_keys += entry * N
        size = tl.load(union_sizes + entry)

    qt = _rows(q + window * q_w + head * q_h, rows, q_n, N, D, BD, EVEN)
    dot = _rows(do + window * do_w + head * do_h, rows, do_n, N, D, BD, EVEN)
    ot = _rows(o + window * o_w + head * o_h, rows, o_n, N, D, BD, EVEN)
    row = (window * heads + head) * N + rows
    difference = tl.sum(ot.to(tl.float32) * dot.to(tl.float32), 1)
    tl.store(delta + row, difference, mask=rows < N)
    logsum = tl.load(lse + row, mask=rows < N, other=0.0)

    acc = tl.zeros([BM, BD], tl.float32)
    for start in range(0, size, BN):
        keys = _keys(union_keys, start, size, N, UNION, BN)
        kt = _rows(k, keys, k_n, N, D, BD, EVEN or UNION)
        vt = _rows(v, keys, v_n, N, D, BD, EVEN or UNION)
        s = tl.dot(qt, tl.trans(kt), input_precision=PRECISION) * factor
        if BIAS:
            s += _bias_tile(bias, rows, keys, N, EVEN)
        keep = _kept(bits, window, rows, start, N, words, MASKED, EVEN, BM, BN)
        # A key that is not kept may lie above the sum and give inf: selected away, not multiplied.
        p = tl.where(keep, tl.exp2(s - logsum[:, None]), 0.0)
        dp = tl.dot(dot, tl.trans(vt), input_precision=PRECISION)
        ds = p * (dp - difference[:, None])
        acc = tl.dot(ds.to(kt.dtype), kt, acc, input_precision=PRECISION)
    _store_rows(dq + window * o_w + head * o_h, rows, o_n, N, acc * scale, D, BD)


@triton.jit
def _dkv_kernel(
    q,
    k,
    v,
    do,
    lse,
    delta,
    bits,
    bias,
    dk,
    dv,
    q_w,
    q_h,
    q_n,
    k_w,
    k_h,
    k_n,
    v_w,
    v_h,
    v_n,
    do_w,
    do_h,
    do_n,
    o_w,
    o_h,
    o_n,
    heads,
    N,
    words,
    factor,
    scale,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of a block of keys and values. Scores are held transposed: (BN, BM)."""
    program = tl.program_id(0)
    head = (program % heads).to(tl.int64)
    blocks = tl.cdiv(N, BN)
    first = program // heads % blocks * BN
    window = (program // heads // blocks).to(tl.int64)
    keys = first + tl.arange(0, BN)

    q += window * q_w + head * q_h
    do += window * do_w + head * do_h
    lse += (window * heads + head) * N
    delta += (window * heads + head) * N
    if BIAS:
        bias += head * N * N

    kt = _rows(k + window * k_w + head * k_h, keys, k_n, N, D, BD, EVEN)
    vt = _rows(v + window * v_w + head * v_h, keys, v_n, N, D, BD, EVEN)
    acc_k = tl.zeros([BN, BD], tl.float32)
    acc_v = tl.zeros([BN, BD], tl.float32)
    for start in range(0, N, BM):
        rows = start + tl.arange(0, BM)
        qt = _rows(q, rows, q_n, N, D, BD, EVEN)
        dot = _rows(do, rows, do_n, N, D, BD, EVEN)
        logsum = tl.load(lse + rows, mask=rows < N, other=0.0)
        difference = tl.load(delta + rows, mask=rows < N, other=0.0)
        st = tl.dot(kt, tl.trans(qt), input_precision=PRECISION) * factor
        if BIAS:
            st += tl.trans(_bias_tile(bias, rows, keys, N, EVEN))
        keep = _kept(bits, window, rows, first, N, words, MASKED, EVEN, BM, BN)
        # Transposed as bytes: one shuffle of a byte per score, no second copy of the bits.
        keep = tl.trans(keep.to(tl.int8)) != 0
        pt = tl.where(keep, tl.exp2(st - logsum[None, :]), 0.0)
        acc_v = tl.dot(pt.to(dot.dtype), dot, acc_v, input_precision=PRECISION)
        dpt = tl.dot(vt, tl.trans(dot), input_precision=PRECISION)
        dst = pt * (dpt - difference[None, :])
        acc_k = tl.dot(dst.to(qt.dtype), qt, acc_k, input_precision=PRECISION)
    place = window * o_w + head * o_h
    _store_rows(dk + place, keys, o_n, N, acc_k * scale, D, BD)
    _store_rows(dv + place, keys, o_n, N, acc_v, D, BD)


@triton.jit
def _dbias_kernel(
    q,
    k,
    v,
    do,
    lse,
    delta,
    bits,
    bias,
    dbias,
    q_w,
    q_h,
    q_n,
    k_w,
    k_h,
    k_n,
    v_w,
    v_h,
    v_n,
    do_w,
    do_h,
    do_n,
    heads,
    N,
    words,
    factor,
    windows,
    per_share,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient of a block of the bias, summed over one share of the windows in a fixed order."""
    program = tl.program_id(0)
    row_blocks = tl.cdiv(N, BM)
    key_blocks = tl.cdiv(N, BN)
    first = program % key_blocks * BN
    rows = program // key_blocks % row_blocks * BM + tl.arange(0, BM)
    head = (program // key_blocks // row_blocks % heads).to(tl.int64)
    share = (program // key_blocks // row_blocks // heads).to(tl.int64)
    keys = first + tl.arange(0, BN)

    b = _bias_tile(bias + head * N * N, rows, keys, N, EVEN)
    acc = tl.zeros([BM, BN], tl.float32)
    begin = share * per_share
    for index in range(begin, tl.minimum(begin + per_share, windows)):
        window = tl.cast(index, tl.int64)
        qt = _rows(q + window * q_w + head * q_h, rows, q_n, N, D, BD, EVEN)
        kt = _rows(k + window * k_w + head * k_h, keys, k_n, N, D, BD, EVEN)
        vt = _rows(v + window * v_w + head * v_h, keys, v_n, N, D, BD, EVEN)
        dot = _rows(do + window * do_w + head * do_h, rows, do_n, N, D, BD, EVEN)
        row = (window * heads + head) * N + rows
        logsum = tl.load(lse + row, mask=rows < N, other=0.0)
        difference = tl.load(delta + row, mask=rows < N, other=0.0)
        s = tl.dot(qt, tl.trans(kt), input_precision=PRECISION) * factor + b
        keep = _kept(bits, window, rows, first, N, words, MASKED, EVEN, BM, BN)
        p = tl.where(keep, tl.exp2(s - logsum[:, None]), 0.0)
        dp = tl.dot(dot, tl.trans(vt), input_precision=PRECISION)
        acc += p * (dp - difference[:, None])
    place = dbias + (share * heads + head) * N * N + rows[:, None] * N + keys[None, :]
    tl.store(place, acc, mask=(rows[:, None] < N) & (keys[None, :] < N))


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
        k: Same shape and dtype.
        v: Same shape and dtype.
        bits: Shape (nW, N, ceil(N / 32)), int32, contiguous; None if every key is kept.
        bias: Shape (h, N, N), contiguous, or None.
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
        Gradients of q, k, v, in memory (nW, N, h, D), and of the bias, (h, N, N) float32, if asked.
    """
    launches = plan_backward(
        grad, q, k, v, o, lse, bits, bias, scale, union, bias_gradient=bias_gradient
    )
    with torch.cuda.device_of(q):
        for launch in launches:
            launch.run()
    own_queries, own_keys, *own_bias = (launch.arguments for launch in launches)
    dbias = own_bias[0]["dbias"].sum(dim=0) if own_bias else None
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
    tile = choose_tile("forward", q, union)
    o = _token_major(q)
    half = q.dtype == torch.float16
    # Float16 has too few exponents for weights far below their bound.
    bound = bits is not None and not half and q.shape[2] >= _FIRST_BOUND
    key_norm = bias_max = None
    if bound:
        key_norm = torch.linalg.vector_norm(k, dim=-1, dtype=torch.float32).amax(dim=-1)
        bias_max = None if bias is None else bias.amax(dim=-1).float()
    arguments = {
        **_common(tile, q, k, v, bits, bias, scale),
        **_listed(union),
        "key_norm": key_norm,
        "bias_max": bias_max,
        "o": o,
        "lse": q.new_empty(q.shape[:3], dtype=torch.float32),
        **_strides("o", o),
        "BIAS": bias is not None,
        "BOUND": bound,
        # Weights of float16 are scaled by 2^14, to use both ends of its range.
        "SHIFT": 14.0 if half else 0.0,
        "ENOUGH": 1.0 if half else 2.0**-60,
    }
    programs = q.shape[0] * q.shape[1] * triton.cdiv(q.shape[2], tile.queries)
    return Launch(_forward_kernel, programs, arguments, tile)


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
    windows, heads, tokens, _ = q.shape
    dq = _token_major(q)
    o = o if o.stride() == dq.stride() else _token_major(q).copy_(o)
    shared = {
        "do": grad,
        "lse": lse,
        "delta": torch.empty_like(lse),
        **_strides("do", grad),
    }
    gradient = {"scale": scale, "BIAS": bias is not None, **_strides("o", o)}

    tile = choose_tile("dq", q, union)
    arguments = {
        **_common(tile, q, k, v, bits, bias, scale),
        **shared,
        **gradient,
        **_listed(union),
        "o": o,
        "dq": dq,
    }
    programs = windows * heads * triton.cdiv(tokens, tile.queries)
    launches = [Launch(_dq_kernel, programs, arguments, tile)]

    tile = choose_tile("dkv", q)
    arguments = {
        **_common(tile, q, k, v, bits, bias, scale),
        **shared,
        **gradient,
        "dk": _token_major(q),
        "dv": _token_major(q),
    }
    programs = windows * heads * triton.cdiv(tokens, tile.keys)
    launches.append(Launch(_dkv_kernel, programs, arguments, tile))

    if bias_gradient:
        tile = choose_tile("dbias", q)
        tiles = heads * triton.cdiv(tokens, tile.queries) * triton.cdiv(tokens, tile.keys)
        # Small windows are many and have few blocks: shares of the windows keep the device busy.
        per_share = triton.cdiv(windows, max(1, _ENOUGH_PROGRAMS // tiles))
        shares = triton.cdiv(windows, per_share) if windows else 0
        arguments = {
            **_common(tile, q, k, v, bits, bias, scale),
            **shared,
            "dbias": q.new_empty((shares, heads, tokens, tokens), dtype=torch.float32),
            "windows": windows,
            "per_share": per_share,
        }
        launches.append(Launch(_dbias_kernel, tiles * shares, arguments, tile))
    return launches


# Below this many tokens the two small launches for the bound cost more than it saves.
_FIRST_BOUND = 256

# Programs that fill a large GPU a few times over.
_ENOUGH_PROGRAMS = 1024

# By bytes per number, then widest head: found by counting instructions, benchmarks/bench_offline.py.
_TILES: dict[str, dict[int, dict[int, Tile]]] = {
    "forward": {
        2: {32: Tile(128, 64, 4, 3), 64: Tile(128, 64, 4, 3), 128: Tile(128, 64, 8, 2)},
        4: {32: Tile(64, 32, 4, 2), 64: Tile(64, 32, 4, 2), 128: Tile(32, 32, 4, 2)},
    },
    "dq": {
        2: {32: Tile(128, 64, 4, 2), 64: Tile(128, 64, 8, 2), 128: Tile(128, 64, 8, 2)},
        4: {32: Tile(64, 32, 4, 2), 64: Tile(64, 32, 4, 2), 128: Tile(32, 32, 4, 1)},
    },
    "dkv": {
        2: {32: Tile(64, 128, 4, 2), 64: Tile(64, 128, 8, 2), 128: Tile(64, 128, 8, 2)},
        4: {32: Tile(32, 64, 4, 2), 64: Tile(32, 64, 4, 2), 128: Tile(32, 32, 4, 1)},
    },
    "dbias": {
        2: {32: Tile(64, 64, 4, 2), 64: Tile(64, 64, 4, 2), 128: Tile(64, 64, 4, 2)},
        4: {32: Tile(32, 32, 4, 2), 64: Tile(32, 32, 4, 2), 128: Tile(32, 32, 4, 1)},
    },
}


def choose_tile(kernel: str, q: Tensor, union: Union | None = None) -> Tile:
    """Blocks for a kernel ("forward", "dq", "dkv", "dbias") on queries (nW, h, N, D)."""
    by_width = _TILES[kernel][q.element_size()]
    tile = by_width[next(width for width in by_width if q.shape[3] <= width)]
    return tile if union is None else tile._replace(queries=union.block)


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
    heads, tokens, head_dim = q.shape[1:]
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
        "words": triton.cdiv(tokens, 32),
        "factor": scale / math.log(2),
        "D": head_dim,
        "BD": max(16, triton.next_power_of_2(head_dim)),
        "BM": tile.queries,
        "BN": tile.keys,
        "MASKED": bits is not None,
        "EVEN": tokens % tile.queries == 0 and tokens % tile.keys == 0,
        "PRECISION": _precision(q.dtype),
    }


def _listed(union: Union | None) -> dict[str, Any]:
    if union is None:
        return {"union_keys": None, "union_sizes": None, "UNION": False}
    # The choice of keys is then over places in the list.
    return {
        "union_keys": union.keys,
        "union_sizes": union.sizes,
        "bits": union.bits,
        "UNION": True,
    }


def _precision(dtype: torch.dtype) -> str:
    exact = dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    return "ieee" if exact else "tf32"


def _strides(name: str, x: Tensor) -> dict[str, int]:
    return dict(zip((f"{name}_w", f"{name}_h", f"{name}_n"), x.stride(), strict=False))


def _token_major(q: Tensor) -> Tensor:
    """New tensor (nW, h, N, D) with the heads of a token side by side."""
    windows, heads, tokens, head_dim = q.shape
    return q.new_empty((windows, tokens, heads, head_dim)).transpose(1, 2)
