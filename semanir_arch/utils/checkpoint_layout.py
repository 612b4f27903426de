"""Which project a file with weights comes from, told from its keys and the names of its weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["describe_layout"]

# Names that only the official weights of a network have together.
_FAMILIES = {
    "Restormer": {"patch_embed.proj.weight", "latent.0.attn.temperature", "output.weight"},
    "RAMiT": {"shallow.conv.weight", "attn_mix.mobivari.pw_conv.weight", "down1.norm.norm.weight"},
}


def describe_layout(
    params: Mapping[str, Any], param_key: str | None, file_keys: Collection[str]
) -> str:
    """Say in words what a file was recognised as.

    Args:
        params: The weights by name, as they are in the file.
        param_key: Where in the file they are; None if they are the file.
        file_keys: Keys of the file.
    """
    wrapped = any(name.startswith("module.") for name in params)
    names = {name.removeprefix("module.") for name in params}
    family = next((name for name, needed in _FAMILIES.items() if needed <= names), None)
    if param_key is None:
        layout = "a bare state dict"
    elif param_key.startswith("params"):
        layout = "BasicSR's layout"
    else:
        layout = f"a dictionary with the weights under {param_key}"
    details = []
    if param_key == "params_ema":
        details.append("with averaged weights (params_ema)")
    elif "params_ema" in file_keys:
        details.append(f"of which {param_key} was taken, not the averaged weights (params_ema)")
    if family:
        details.append(f"with the names of {family}'s authors")
    if wrapped:
        details.append("saved from DataParallel (names began with module.)")
    return ", ".join([layout, *details])
