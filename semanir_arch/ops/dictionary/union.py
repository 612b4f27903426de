"""For each block of queries, the keys that at least one of them keeps.

Neighboring tokens often keep the same keys, so that the union over a block is much smaller than
the window. Attention that visits only the union is exact: the other keys have no weight. The choice
of keys is repacked over places in the list, so that 32 places are one word again.

Legend: W windows in the chunk, B blocks of queries per window, N tokens per window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops.operators import operator

from .packed_bits import pack, unpack

__all__ = ["key_unions"]

# Bytes of the expanded bits of a chunk of windows.
_SCRATCH_BYTES = 64 * 2**20


@operator(
    "semanir::key_unions",
    "(Tensor bits, int num_tokens, int block) -> (Tensor, Tensor, Tensor)",
    tags=(),
)
def key_unions(bits: Tensor, num_tokens: int, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """List the keys used by each block of queries.

    Args:
        bits: Kept keys, shape (nW, N, ceil(N / 32)), int32.
        num_tokens: N, below 2^15.
        block: Queries per block.

    Returns:
        Keys used, ascending, then the others: (nW, B, N), int16. How many are used: (nW, B), int32.
        Kept places, (nW, N, ceil(N / 32)), int32: bit p of a row says whether it keeps the p-th key
        of its block's list.
    """
    num_windows = bits.shape[0]
    blocks = -(-num_tokens // block)
    keys = bits.new_empty((num_windows, blocks, num_tokens), dtype=torch.int16)
    sizes = bits.new_empty((num_windows, blocks))
    places = torch.empty_like(bits)
    chunk = max(1, _SCRATCH_BYTES // (num_tokens * num_tokens))
    for start in range(0, num_windows, chunk):
        part = slice(start, start + chunk)
        mask = unpack(bits[part], num_tokens)
        mask = F.pad(mask, (0, 0, 0, blocks * block - num_tokens)).unflatten(1, (blocks, block))
        used, order = mask.any(dim=2).to(torch.uint8).sort(dim=-1, descending=True, stable=True)
        keys[part] = order
        sizes[part] = used.sum(dim=-1)
        listed = mask.gather(3, order.unsqueeze(2).expand_as(mask))
        places[part] = pack(listed.flatten(1, 2)[:, :num_tokens])
    return keys, sizes, places


@torch.library.register_fake("semanir::key_unions")
def _(bits: Tensor, num_tokens: int, block: int) -> tuple[Tensor, Tensor, Tensor]:
    blocks = -(-num_tokens // block)
    keys = bits.new_empty((bits.shape[0], blocks, num_tokens), dtype=torch.int16)
    return keys, bits.new_empty((bits.shape[0], blocks)), torch.empty_like(bits)
