"""Fast exact selection: find each row's k-th value, keep what is above, settle ties by index.

No row is sorted, and similarities exist only for a few windows at a time, so the scratch memory
does not grow with the image. On a CPU the library of `semanir_arch.ops.native`, where it has been
built, selects several times faster than torch's own operations. Runs as one opaque operator, which
torch.compile and torch.export take as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.ops import native
from semanir_arch.ops.operators import operator

from .packed_bits import num_words, pack

__all__ = ["select_bits"]

# The similarities of a chunk of windows. On a CPU they should stay in the cache; a GPU wants fewer,
# larger launches.
_SCRATCH_BYTES = {"cpu": 4 * 2**20, "cuda": 32 * 2**20}
_INT32_MIN = -(2**31)


@operator("semanir::dictionary", "(Tensor x, int k, Tensor? groups) -> Tensor")
def select_bits(x: Tensor, k: int, groups: Tensor | None) -> Tensor:
    """Select the same keys as `naive.select`, as packed bits.

    Args:
        x: Features, shape (nW, N, C), float32.
        k: Keys kept per row, 1 <= k <= N.
        groups: Shape (nW, N), integer, or None; see `naive.select`.

    Returns:
        Shape (nW, N, ceil(N / 32)), int32, in the layout of `packing`.
    """
    num_windows, num_tokens, _ = x.shape
    bits = x.new_empty((num_windows, num_tokens, num_words(num_tokens)), dtype=torch.int32)
    compiled = x.device.type == "cpu" and native.why_not() is None
    scratch = _SCRATCH_BYTES.get(x.device.type, 2**25)
    chunk = max(1, min(num_windows, scratch // (4 * num_tokens * num_tokens)))
    # Memory fresh from the system would cost as much as the choice.
    buffer = x.new_empty((chunk, num_tokens, num_tokens))
    for start in range(0, num_windows, chunk):
        part = slice(start, min(start + chunk, num_windows))
        similarity = buffer[: part.stop - start]
        torch.bmm(x[part], x[part].mT, out=similarity)
        among = None if groups is None else groups[part]
        if compiled:
            instructions = native.best_instructions()
            bits[part] = torch.ops.semanir_native.select(similarity, k, among, instructions)
        else:
            bits[part] = _select(similarity, k, among)
    return bits


@torch.library.register_fake("semanir::dictionary")
def _(x: Tensor, *_: object) -> Tensor:
    return x.new_empty((x.shape[0], x.shape[1], num_words(x.shape[1])), dtype=torch.int32)


def _select(similarity: Tensor, k: int, groups: Tensor | None) -> Tensor:
    keys = _ordered_int(similarity)
    if groups is None:
        return pack(_largest(keys, k))
    eligible = groups.unsqueeze(-1) == groups.unsqueeze(-2)
    keys.masked_fill_(~eligible, _INT32_MIN)
    return pack(_largest(keys, k) & eligible)


def _ordered_int(similarity: Tensor) -> Tensor:
    """Map float32 to int32 with the same order, in place; integers compare without NaN checks."""
    # Adding 0 turns -0.0 into +0.0, which a comparison of floats calls equal and one of bits would
    # not.
    bits = similarity.add_(0.0).view(torch.int32)
    return bits.bitwise_xor_((bits >> 31).bitwise_and_(0x7FFFFFFF))


def _largest(keys: Tensor, k: int) -> Tensor:
    """Mark the k largest entries of each row of `keys`, equal ones in order of index."""
    threshold = keys.topk(k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
    kept = keys >= threshold
    if keys.is_cuda:
        # Asking whether ties cross the threshold would cost a synchronization, more than settling.
        return _settle(keys, threshold, k)
    # Only rows with more than k survivors have ties across the threshold; real features have few.
    rows = kept.sum(dim=-1, dtype=torch.int32) > k
    kept[rows] = _settle(keys[rows], threshold[rows], k)
    return kept


def _settle(keys: Tensor, threshold: Tensor, k: int) -> Tensor:
    """Keep what is above the threshold, and of what equals it the lowest indices up to k in all."""
    above = keys > threshold
    spare = k - above.sum(dim=-1, keepdim=True)
    tied = keys == threshold
    return above | (tied & (tied.cumsum(dim=-1) <= spare))
