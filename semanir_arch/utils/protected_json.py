"""JSON files that hold a checksum of themselves, so that every changed bit is noticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from semanir_arch.utils.errors import InputError, InputTypeError

__all__ = ["CHECKSUM", "DamagedError", "protect", "read_protected"]

CHECKSUM = "sha256"
"""Key of the checksum; the last of the object."""

_END = "\n}"


class DamagedError(InputError):
    """A file was changed after it was written."""


def protect(text: str) -> str:
    """Add the checksum of a JSON object, written with an indent of 1, as its last entry."""
    return text.removesuffix(_END) + _tail(hashlib.sha256(text.encode("utf-8")).hexdigest())


def read_protected(data: bytes) -> tuple[dict[str, Any], bool]:
    """Read what `protect` wrote.

    Returns:
        The object without its checksum, and whether it had one: files of earlier versions have
        none.

    Raises:
        DamagedError: The checksum is not that of the content.
        ValueError: It is no JSON.
        TypeError: It is no object.
    """
    text = data.decode("utf-8")
    content = json.loads(text)
    if not isinstance(content, dict):
        raise InputTypeError("not an object")
    is_protected = content.pop(CHECKSUM, None) is not None
    # to the byte: a change that leaves the meaning alone is still a damaged disk
    if is_protected and text != protect(text[:-_TAIL_LENGTH] + _END):
        raise DamagedError("its checksum is not that of its content")
    return content, is_protected


def _tail(digest: str) -> str:
    return f',\n "{CHECKSUM}": "{digest}"{_END}\n'


_TAIL_LENGTH = len(_tail(64 * "0"))
