"""Networks of option fragments, in the sizes that are published or shipped."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import yaml

OPTIONS = Path(__file__).parents[1] / "options"


def fragments(pattern: str) -> list[Path]:
    """Files of networks whose names, without ending, match a pattern."""
    return sorted(OPTIONS.rglob(f"_base_/network/{pattern}.yml"))


def network_options(name: str, **values: Any) -> dict[str, Any]:
    """The block `network_g` of a fragment.

    Args:
        name: Name of the file, without ending.
        values: Values of its variables that it does not give, or that should differ.

    Raises:
        FileNotFoundError: No such fragment.
        KeyError: A variable has no value.
    """
    found = fragments(name)
    if not found:
        raise FileNotFoundError(f"{name}: no such fragment of a network in {OPTIONS}")
    text = found[0].read_text(encoding="utf-8")
    values = {**(yaml.safe_load(text).get("vars") or {}), **values}
    block: dict[str, Any] = yaml.safe_load(Template(text).substitute(values))["network_g"]
    return block
