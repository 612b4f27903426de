"""Fused key-semantic attention: the kernels; `launch` lays them over the work.

Forward: scores of a block of queries with the keys of its window, softmax and product with the
values in one pass (Dao et al., arXiv 2205.14135), the choice of keys read as bits and expanded in
registers. A key that is not kept is dropped after the exponential, which is cheaper than before a
running maximum but needs care: the shift of the softmax must come from elsewhere and is checked.

Backward: one pass that owns queries (dQ), one that owns keys (dK, dV), one that owns scores and
loops over the windows (the bias's gradient). Nothing is added atomically: results do not vary.

Exponentials and logarithms have base 2: a score is (q . k) scale log2(e) + bias log2(e).

Legend: h heads, N tokens per window, D channels per head, DI of them as stored in the inputs (D, or
more with zeros), BD the next power of two, BM queries and BN keys per block. Offsets of windows and
heads are 64-bit; `fused` keeps the others below 2^31.
"""

# Arguments of kernels are pointers, numbers and compile-time constants; Triton infers their types.
# ruff: noqa: ANN001, ANN202
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, warn-unreachable=False

from __future__ import annotations

import math

import triton
import triton.language as tl

__all__ = ["dbias_kernel", "dkv_kernel", "dq_kernel", "forward_kernel"]

_LOG2E = tl.constexpr(1 / math.log(2))

# Where the shift of the softmax comes from.
_BOUND = tl.constexpr(0)  # an upper bound of the row's scores, known beforehand
_ALL = tl.constexpr(1)  # the running maximum over all keys
_KEPT = tl.constexpr(2)  # the running maximum over the kept keys

# A bound this far (in powers of two) above zero is likely to underflow what matters: not tried.
_LOOSE_BOUND = tl.constexpr(60.0)


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
    """Mask of the keys from `start` on that each query keeps: (BM, BN)."""
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
def _bias_of_head(bias, head, N, SIDE: tl.constexpr):
    return bias + head * (SIDE * SIDE * (2 * SIDE - 1) if SIDE else N * N)


@triton.jit
def _bias_tile(bias, rows, keys, N, SIDE: tl.constexpr, EVEN: tl.constexpr):
    """Bias of a block; `bias` points to the head's matrix, or its strips; see `bias`."""
    if SIDE:
        start = rows % SIDE * (SIDE * (2 * SIDE - 1)) + (SIDE - 1 - rows // SIDE) * SIDE
    else:
        start = rows * N
    # One 32-bit offset per score: sums of pointers would be 64 bits wide.
    pointers = bias + (start[:, None] + keys[None, :])
    if EVEN:
        tile = tl.load(pointers)
    else:
        tile = tl.load(pointers, mask=(rows[:, None] < N) & (keys[None, :] < N), other=0.0)
    return tile


@triton.jit
def _bias_of_queries(
    bias, rows, keys, N, SIDE: tl.constexpr, UNION: tl.constexpr, EVEN: tl.constexpr
):
    if UNION:
        # Listed keys are apart from each other: `bias` is transposed so that queries are adjacent.
        tile = tl.trans(_bias_tile(bias, keys, rows, N, SIDE, EVEN))
    else:
        tile = _bias_tile(bias, rows, keys, N, SIDE, EVEN)
    return tile


@triton.jit
def _exponent(product, factor, tile, shift, BIAS: tl.constexpr):
    """Score in base 2 less its shift, in one multiply-add without bias and two with it."""
    if BIAS:
        exponent = product * factor + (tile.to(tl.float32) * _LOG2E - shift)
    else:
        exponent = product * factor - shift
    return exponent


@triton.jit
def _keys(union_keys, start, size, UNION: tl.constexpr, BN: tl.constexpr):
    """Tokens at the places from `start` on: themselves, or what the union's list names there."""
    keys = start + tl.arange(0, BN)
    if UNION:
        keys = tl.load(union_keys + keys, mask=keys < size, other=0).to(tl.int32)
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
    DI: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    SIDE: tl.constexpr,
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
        keys = _keys(union_keys, start, size, UNION, BN)
        kt = _rows(k, keys, k_n, N, DI, BD, EVEN or UNION)
        product = tl.dot(q, tl.trans(kt), input_precision=PRECISION)
        tile = bias
        if BIAS:
            tile = _bias_of_queries(bias, rows, keys, N, SIDE, UNION, EVEN)
        keep = _kept(bits, window, rows, start, N, words, MASKED, EVEN, BM, BN)
        if MODE == _BOUND:
            s = _exponent(product, factor, tile, shift[:, None], BIAS)
            p = tl.where(keep, tl.exp2(s), 0.0)
        else:
            s = _exponent(product, factor, tile, 0.0, BIAS)
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
        vt = _rows(v, keys, v_n, N, DI, BD, EVEN or UNION)
        acc = tl.dot(p.to(vt.dtype), vt, acc, input_precision=PRECISION)
    return acc, total, shift


@triton.jit
def forward_kernel(
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
    DI: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    SIDE: tl.constexpr,
    UNION: tl.constexpr,
    EVEN: tl.constexpr,
    BOUND: tl.constexpr,
    SHIFT: tl.constexpr,
    ENOUGH: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    """Output of a block of queries, and the logarithm of the sum of its exponentials."""
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
        bias = _bias_of_head(bias, head, N, SIDE)
    size = N
    if UNION:
        entry = window * blocks + block
        union_keys += entry * N
        size = tl.load(union_sizes + entry)

    qt = _rows(q, rows, q_n, N, DI, BD, EVEN)
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
            qt, k, v, bits, bias, union_keys, window, rows, shift, fast_size, k_n, v_n, N,
            words, factor, DI, BD, BM, BN, MASKED, BIAS, SIDE, UNION, EVEN, SHIFT, _BOUND,
            PRECISION,
        )  # fmt: skip
    else:
        acc, total, shift = _attend(
            qt, k, v, bits, bias, union_keys, window, rows, shift, size, k_n, v_n, N,
            words, factor, DI, BD, BM, BN, MASKED, BIAS, SIDE, UNION, EVEN, SHIFT, _ALL,
            PRECISION,
        )  # fmt: skip
    if MASKED:
        # Weights may have vanished beside keys that are not kept, or below a loose bound; NaN, from
        # a key that is not kept, fails the comparison too.
        fine = (total >= ENOUGH) | (rows >= N)
        if tl.min(fine.to(tl.int32)) == 0:
            shift = tl.full([BM], float("-inf"), tl.float32)
            acc, total, shift = _attend(
                qt, k, v, bits, bias, union_keys, window, rows, shift, size, k_n, v_n, N,
                words, factor, DI, BD, BM, BN, MASKED, BIAS, SIDE, UNION, EVEN, SHIFT, _KEPT,
                PRECISION,
            )  # fmt: skip

    _store_rows(o + window * o_w + head * o_h, rows, o_n, N, acc / total[:, None], D, BD)
    tl.store(lse + (window * heads + head) * N + rows, shift + tl.log2(total), mask=rows < N)


@triton.jit
def dq_kernel(
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
    DI: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    SIDE: tl.constexpr,
    UNION: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
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
        bias = _bias_of_head(bias, head, N, SIDE)
    size = N
    if UNION:
        entry = window * blocks + block
        union_keys += entry * N
        size = tl.load(union_sizes + entry)

    qt = _rows(q + window * q_w + head * q_h, rows, q_n, N, DI, BD, EVEN)
    dot = _rows(do + window * do_w + head * do_h, rows, do_n, N, DI, BD, EVEN)
    ot = _rows(o + window * o_w + head * o_h, rows, o_n, N, D, BD, EVEN)
    row = (window * heads + head) * N + rows
    difference = tl.sum(ot.to(tl.float32) * dot.to(tl.float32), 1)
    tl.store(delta + row, difference, mask=rows < N)
    logsum = tl.load(lse + row, mask=rows < N, other=0.0)

    acc = tl.zeros([BM, BD], tl.float32)
    for start in range(0, size, BN):
        keys = _keys(union_keys, start, size, UNION, BN)
        kt = _rows(k, keys, k_n, N, DI, BD, EVEN or UNION)
        vt = _rows(v, keys, v_n, N, DI, BD, EVEN or UNION)
        product = tl.dot(qt, tl.trans(kt), input_precision=PRECISION)
        tile = bias
        if BIAS:
            tile = _bias_of_queries(bias, rows, keys, N, SIDE, UNION, EVEN)
        s = _exponent(product, factor, tile, logsum[:, None], BIAS)
        keep = _kept(bits, window, rows, start, N, words, MASKED, EVEN, BM, BN)
        # A key that is not kept may lie above the sum and give inf: selected away, not multiplied.
        p = tl.where(keep, tl.exp2(s), 0.0)
        dp = tl.dot(dot, tl.trans(vt), input_precision=PRECISION)
        ds = p * (dp - difference[:, None])
        acc = tl.dot(ds.to(kt.dtype), kt, acc, input_precision=PRECISION)
    _store_rows(dq + window * o_w + head * o_h, rows, o_n, N, acc * scale, D, BD)


@triton.jit
def dkv_kernel(
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
    DI: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    BIAS: tl.constexpr,
    SIDE: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    """Gradients of a block of keys and values; scores (BN, BM) and `bias` are transposed."""
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
        bias = _bias_of_head(bias, head, N, SIDE)

    kt = _rows(k + window * k_w + head * k_h, keys, k_n, N, DI, BD, EVEN)
    vt = _rows(v + window * v_w + head * v_h, keys, v_n, N, DI, BD, EVEN)
    acc_k = tl.zeros([BN, BD], tl.float32)
    acc_v = tl.zeros([BN, BD], tl.float32)
    for start in range(0, N, BM):
        rows = start + tl.arange(0, BM)
        qt = _rows(q, rows, q_n, N, DI, BD, EVEN)
        dot = _rows(do, rows, do_n, N, DI, BD, EVEN)
        logsum = tl.load(lse + rows, mask=rows < N, other=0.0)
        difference = tl.load(delta + rows, mask=rows < N, other=0.0)
        product = tl.dot(kt, tl.trans(qt), input_precision=PRECISION)
        tile = bias
        if BIAS:
            tile = _bias_tile(bias, keys, rows, N, SIDE, EVEN)
        st = _exponent(product, factor, tile, logsum[None, :], BIAS)
        keep = _kept(bits, window, rows, first, N, words, MASKED, EVEN, BM, BN)
        # Transposed as bytes: one shuffle of a byte per score, no second copy of the bits.
        keep = tl.trans(keep.to(tl.int8)) != 0
        pt = tl.where(keep, tl.exp2(st), 0.0)
        acc_v = tl.dot(pt.to(dot.dtype), dot, acc_v, input_precision=PRECISION)
        dpt = tl.dot(vt, tl.trans(dot), input_precision=PRECISION)
        dst = pt * (dpt - difference[None, :])
        acc_k = tl.dot(dst.to(qt.dtype), qt, acc_k, input_precision=PRECISION)
    place = window * o_w + head * o_h
    _store_rows(dk + place, keys, o_n, N, acc_k * scale, D, BD)
    _store_rows(dv + place, keys, o_n, N, acc_v, D, BD)


@triton.jit
def dbias_kernel(
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
    DI: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    SIDE: tl.constexpr,
    EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    """Gradient of a block of the bias, summed over one share of the windows in a fixed order."""
    program = tl.program_id(0)
    row_blocks = tl.cdiv(N, BM)
    key_blocks = tl.cdiv(N, BN)
    first = program % key_blocks * BN
    rows = program // key_blocks % row_blocks * BM + tl.arange(0, BM)
    head = (program // key_blocks // row_blocks % heads).to(tl.int64)
    share = (program // key_blocks // row_blocks // heads).to(tl.int64)
    keys = first + tl.arange(0, BN)

    tile = _bias_tile(_bias_of_head(bias, head, N, SIDE), rows, keys, N, SIDE, EVEN)
    acc = tl.zeros([BM, BN], tl.float32)
    begin = share * per_share
    for index in range(begin, tl.minimum(begin + per_share, windows)):
        window = tl.cast(index, tl.int64)
        qt = _rows(q + window * q_w + head * q_h, rows, q_n, N, DI, BD, EVEN)
        kt = _rows(k + window * k_w + head * k_h, keys, k_n, N, DI, BD, EVEN)
        vt = _rows(v + window * v_w + head * v_h, keys, v_n, N, DI, BD, EVEN)
        dot = _rows(do + window * do_w + head * do_h, rows, do_n, N, DI, BD, EVEN)
        row = (window * heads + head) * N + rows
        logsum = tl.load(lse + row, mask=rows < N, other=0.0)
        difference = tl.load(delta + row, mask=rows < N, other=0.0)
        product = tl.dot(qt, tl.trans(kt), input_precision=PRECISION)
        s = _exponent(product, factor, tile, logsum[:, None], True)
        keep = _kept(bits, window, rows, first, N, words, MASKED, EVEN, BM, BN)
        p = tl.where(keep, tl.exp2(s), 0.0)
        dp = tl.dot(dot, tl.trans(vt), input_precision=PRECISION)
        acc += p * (dp - difference[:, None])
    place = dbias + (share * heads + head) * N * N + rows[:, None] * N + keys[None, :]
    tl.store(place, acc, mask=(rows[:, None] < N) & (keys[None, :] < N))
