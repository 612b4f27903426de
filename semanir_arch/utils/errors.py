"""Errors that tell the user what cannot be used or done."""

from __future__ import annotations

__all__ = ["SaveError"]


class SaveError(RuntimeError):
    """Error of a save; the message names the file and the reason, and what is still there."""
