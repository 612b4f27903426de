"""Which project a file with weights comes from, told from its keys and the names of its weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from semanir_arch.utils.checkpoint_names import without_wrappers
from semanir_arch.utils.errors import CheckpointError, MissingFileError

__all__ = ["check_file", "describe_layout", "find_family"]

_FAMILIES = {
    "SemanIR": {"first.weight", "norm_in.weight", "body_conv.weight", "norm_out.weight"},
    "SemanIRUNet": {"first.weight", "last.weight", "last.bias"},
    "Restormer": {"patch_embed.proj.weight", "latent.0.attn.temperature", "output.weight"},
    "RAMiT": {"shallow.conv.weight", "attn_mix.mobivari.pw_conv.weight", "down1.norm.norm.weight"},
}
"""Names that only the weights of a network have together."""

_OFFICIAL = ("Restormer", "RAMiT")
"""Networks whose authors have published weights."""


def find_family(params: Mapping[str, Any]) -> str | None:
    """The network of this package whose weights these seem to be.

    Args:
        params: Weights by name, without what wrappers put into the names.

    Returns:
        Name of the family; None if they have the names of no network.
    """
    found = [name for name, needed in _FAMILIES.items() if needed <= params.keys()]
    if "SemanIRUNet" in found and not any(name.startswith("latent.") for name in params):
        found.remove("SemanIRUNet")
    return found[0] if found else None


def describe_layout(
    params: Mapping[str, Any], param_key: str | None, file_keys: Collection[str]
) -> str:
    """Say in words what a file was recognized as.

    Args:
        params: The weights by name, as they are in the file.
        param_key: Key of the weights in the file; None if they are the file.
        file_keys: Keys of the file.
    """
    family = find_family(without_wrappers(params)[0])
    if param_key is None:
        layout = "a bare state dict"
    elif param_key.startswith("params") and param_key != "params-ema":
        layout = "BasicSR's layout"
    else:
        layout = f"a dictionary with the weights under {param_key}"
    details = []
    if param_key == "params_ema":
        details.append("with averaged weights (params_ema)")
    elif "params_ema" in file_keys:
        details.append(f"from which {param_key} was taken, not the averaged weights (params_ema)")
    if family in _OFFICIAL:
        details.append(f"with the names of {family}'s authors")
    return ", ".join([layout, *details])


def check_file(path: Path) -> None:
    """Refuse what cannot hold weights, whatever the format.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: A folder, an empty file, or a web page in place of a download.
    """
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder, not a checkpoint file")
    if not path.is_file():
        raise MissingFileError(f"{path}: no such checkpoint file")
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if not start:
        raise CheckpointError(f"{path}: cut short, the file is empty")
    if start.startswith((b"<!doctype", b"<html")):
        raise CheckpointError(f"{path}: a web page, not a checkpoint; the download failed")
