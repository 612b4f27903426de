"""Suffixes of files that only the extra `formats` can read; importing them costs nothing."""

from __future__ import annotations

__all__ = ["HEIC_SUFFIXES", "RAW_SUFFIXES"]

HEIC_SUFFIXES = (".heic", ".heif", ".hif")
"""Suffixes of HEIC photos, in lower case."""

RAW_SUFFIXES = (
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2"),
    *(".rwl", ".raf", ".pef", ".srw", ".3fr", ".iiq", ".erf", ".mef", ".mos", ".mrw", ".kdc"),
    *(".dcr", ".x3f", ".gpr"),
)
"""Suffixes of camera raw files, in lower case."""
