"""Names as a terminal may show them."""

from __future__ import annotations

__all__ = ["shown"]


def shown(text: str, keep: str = "") -> str:
    """Escape what is not printable.

    Names from archives, folders and records hold any characters: ends of lines, a terminal's
    commands, marks that turn the direction of writing round.

    Args:
        text: Text to show.
        keep: Characters that stay nevertheless, such as ends of lines between several messages.

    Returns:
        The text with Python's escapes in place of those characters.
    """
    return "".join(
        sign
        if sign.isprintable() or sign in keep
        else sign.encode("unicode_escape", "surrogatepass").decode("ascii")
        for sign in text
    )
