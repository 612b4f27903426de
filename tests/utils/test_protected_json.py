"""Every changed bit of a protected file is noticed."""

from __future__ import annotations

import json

import pytest

from semanir_arch.utils.protected_json import DamagedError, protect, read_protected

CONTENT = {"parameters": {"size": 16}, "images": {"a": {"bytes": 72, "patches": 3}}}
TEXT = protect(json.dumps(CONTENT, indent=1))


def test_the_content_comes_back_and_is_json_for_others():
    assert read_protected(TEXT.encode()) == (CONTENT, True)
    assert json.loads(TEXT).keys() == {"parameters", "images", "sha256"}


def test_every_flipped_bit_is_noticed():
    for place in range(len(TEXT)):
        for bit in range(8):
            changed = bytearray(TEXT.encode())
            changed[place] ^= 1 << bit
            try:
                content, is_protected = read_protected(bytes(changed))
            except ValueError:
                continue
            # the key of the checksum itself: what was read is then no file of ours
            assert not is_protected
            assert content.keys() != CONTENT.keys()


def test_files_of_earlier_versions_are_read_and_told_apart():
    assert read_protected(json.dumps(CONTENT, indent=1).encode()) == (CONTENT, False)
    for text, kind in (("[1]", TypeError), ("{", ValueError), ("", ValueError)):
        with pytest.raises(kind):
            read_protected(text.encode())
    with pytest.raises(DamagedError, match="its checksum is not that of its content"):
        read_protected(TEXT.replace("72", "73").encode())
