"""Test pictures among training images, found by their fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semanir_arch.data.preparation.fingerprints import Fingerprint

# Unrelated photographs differ in 14 bits or more (BSDS, CID22, Kodak, LIVE), copies in 0 to 6.
_MOST_BITS = 8
# Unrelated photographs share one window at a displacement, crops of one picture dozens.
_FEWEST_WINDOWS = 3
# Windows that a set shows again and again (sky, print) say nothing.
_COMMON = 16


@dataclass(frozen=True)
class Match:
    """Two images of one picture.

    Args:
        image: Index of the test image.
        windows: Number of windows that agree; 0 if the pictures were compared as a whole.
        offset: Row and column of the training image's corner in the test image.
        bits: Number of bits, of 64, in which the hashes of the whole pictures differ.
    """

    image: int
    windows: int
    offset: tuple[int, int]
    bits: int


class Gallery:
    """The fingerprints of test images, to be searched.

    Args:
        fingerprints: Fingerprints of all test images.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self._whole = np.array([print_.whole for print_ in fingerprints], np.uint64)
        counts = [len(print_.keys) for print_ in fingerprints]
        keys = np.concatenate([np.empty(0, np.uint64), *(print_.keys for print_ in fingerprints)])
        places = np.concatenate(
            [np.empty((0, 2), np.int32), *(print_.places for print_ in fingerprints)]
        )
        images = np.repeat(np.arange(len(fingerprints), dtype=np.int32), counts)
        order = np.argsort(keys, kind="stable")
        _, inverse, repeats = np.unique(keys[order], return_inverse=True, return_counts=True)
        order = order[repeats[inverse] <= _COMMON]
        self._keys, self._places, self._images = keys[order], places[order], images[order]

    def find(self, print_: Fingerprint) -> list[Match]:
        """All test images that show the picture of a training image, or part of it."""
        bits = np.bitwise_count(self._whole ^ np.uint64(print_.whole)).astype(int)
        found = {
            int(image): Match(int(image), 0, (0, 0), int(bits[image]))
            for image in np.flatnonzero(bits <= _MOST_BITS)
        }
        for image, windows, offset in self._agreeing(print_):
            found[image] = Match(image, windows, offset, int(bits[image]))
        return list(found.values())

    def _agreeing(self, print_: Fingerprint) -> list[tuple[int, int, tuple[int, int]]]:
        """Test image, number of windows and displacement where enough windows agree."""
        first = np.searchsorted(self._keys, print_.keys, side="left")
        last = np.searchsorted(self._keys, print_.keys, side="right")
        repeats = last - first
        if repeats.sum() < _FEWEST_WINDOWS:
            return []
        own = np.repeat(np.arange(len(repeats)), repeats)
        starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
        theirs = np.repeat(first, repeats) + np.arange(len(own)) - starts
        offsets = self._places[theirs] - print_.places[own]
        votes = np.column_stack([self._images[theirs], offsets, own])
        # the same window of the training image counts once
        places, counts = np.unique(np.unique(votes, axis=0)[:, :3], axis=0, return_counts=True)
        enough = np.flatnonzero(counts >= _FEWEST_WINDOWS)
        best = {}
        for index in enough[np.argsort(counts[enough], kind="stable")]:
            image, row, column = map(int, places[index])
            best[image] = (image, int(counts[index]), (row, column))
        return list(best.values())
