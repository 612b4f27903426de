"""Files that people hand over as photos and that are none: what to call them, and what to do."""

from __future__ import annotations

import re

__all__ = ["name_of_foreign"]

_FILM = "is a video; extract pictures from it first (ffmpeg -i FILM frames/%06d.png)"
_OFFICE = "is a document of an office program; save its pictures as PNG or JPEG"

_BEGINNINGS = {
    b"%PDF": "is a PDF document; save its pages as PNG",
    b"%!PS": "is a PostScript drawing; save it as PNG",
    b"\xc5\xd0\xd3\xc6": "is a PostScript drawing; save it as PNG",
    b"8BPS": "is a Photoshop file; save it as PNG or TIFF",
    b"\xff\x0a": "is a JPEG XL picture; save it as PNG",
    b"\0\0\0\x0cJXL ": "is a JPEG XL picture; save it as PNG",
    b"\x1aE\xdf\xa3": _FILM,
    b"\0\0\1\xba": _FILM,
    b"\0\0\1\xb3": _FILM,
    b"FLV\1": _FILM,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _OFFICE,
    b"{\\rtf": _OFFICE,
}
"""First bytes of a file."""

_OFFICE_PARTS = (b"word/", b"xl/", b"ppt/", b"mimetypeapplication/vnd.oasis", b"Index/Document.iwa")
_WEB = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
_DRAWING = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg", re.DOTALL
)
_HEAD = 4096


def name_of_foreign(data: bytes) -> str | None:
    """Name a file that no decoder here reads, and what to do with it; None if it is unknown.

    Args:
        data: Contents of the file, in none of the `extra_formats`.
    """
    for beginning, text in _BEGINNINGS.items():
        if data.startswith(beginning):
            return text
    head = data[:_HEAD]
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis"):
        # others than those of `extra_formats` are films
        return _FILM
    if head[4:8] in (b"moov", b"wide") or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return _FILM
    if head[:4] == b"PK\3\4":
        office = any(part in data for part in _OFFICE_PARTS)
        return _OFFICE if office else "is an archive; unpack it first"
    if _WEB.match(head):
        return "is a web page; the download of the photo failed"
    if _DRAWING.match(head):
        return "is a drawing (SVG); save it as PNG in the size that you need"
    return None
