"""Bits must say what the mask said, in the documented layout."""

from __future__ import annotations

import torch

from semanir_arch.ops.dictionary.packed_bits import num_words, pack, unpack
from tests.each import each


@each("num_keys", [1, 7, 31, 32, 33, 64, 100, 1024])
def test_unpack_undoes_pack(num_keys: int) -> None:
    mask = torch.rand(3, 5, num_keys) < 0.5
    bits = pack(mask)
    assert bits.shape == (3, 5, num_words(num_keys))
    assert bits.dtype == torch.int32
    assert torch.equal(unpack(bits, num_keys), mask)


def test_key_32j_plus_b_is_bit_b_of_word_j_and_spare_bits_are_zero() -> None:
    mask = torch.rand(40) < 0.5
    words = [word & 0xFFFFFFFF for word in pack(mask).tolist()]
    for key in range(64):
        expected = int(mask[key]) if key < 40 else 0
        assert (words[key // 32] >> (key % 32)) & 1 == expected


def test_a_non_contiguous_mask_packs_like_its_copy() -> None:
    mask = torch.rand(64, 32) < 0.5
    assert torch.equal(pack(mask.T), pack(mask.T.contiguous()))
