"""Masks as bits: 32 keys in one int32 word, an eighth of a boolean mask's memory.

Layout: word j of a row holds keys 32 j to 32 j + 31, key 32 j + b in bit b; bits beyond the last
key are 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["WORD", "num_words", "pack", "unpack"]

WORD = 32
"""Keys per word."""

# Multiplying eight 0/1 bytes, read as one little-endian 64-bit number, by this constant moves byte
# i's bit to bit 56 + i: the top byte is then the packed octet.
_GATHER_OCTET = 0x0102040810204080


def num_words(num_keys: int) -> int:
    """Words that hold one row of `num_keys` bits."""
    return (num_keys + WORD - 1) // WORD


def pack(mask: Tensor) -> Tensor:
    """Pack a boolean mask.

    Args:
        mask: Shape (..., N), bool.

    Returns:
        Shape (..., ceil(N / 32)), int32.
    """
    num_keys = mask.shape[-1]
    padded = (
        F.pad(mask, (0, num_words(num_keys) * WORD - num_keys))
        if num_keys % WORD
        else mask.contiguous()
    )
    octets = padded.view(torch.int64) * _GATHER_OCTET
    return (octets >> 56).to(torch.uint8).view(torch.int32)


def unpack(bits: Tensor, num_keys: int) -> Tensor:
    """Undo `pack`.

    Args:
        bits: Shape (..., ceil(N / 32)), int32.
        num_keys: N.

    Returns:
        Shape (..., N), bool.
    """
    shifts = torch.arange(8, dtype=torch.uint8, device=bits.device)
    octets = bits.contiguous().view(torch.uint8)
    mask = (octets.unsqueeze(-1) >> shifts) & 1
    return mask.flatten(-2)[..., :num_keys].bool()
