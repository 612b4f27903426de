"""Weights of other architectures in test.py: `--weights FILE` brings its own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semanir_arch.archs import NETWORKS
from semanir_arch.bridges import spandrel_reader
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint
from semanir_arch.utils.checkpoint_layout import find_family
from semanir_arch.utils.errors import UserError

__all__ = ["foreign_network"]

_SAME = {"RRDBNet": "ESRGAN", "SRVGGNetCompact": "RealESRGAN Compact"}
"""Networks that BasicSR calls otherwise than spandrel."""


def foreign_network(file: str, block: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The option block of a file's network, if it is none that the option file could build.

    Args:
        file: File of the weights.
        block: Block `network_g` of the option file.

    Returns:
        A block of `SpandrelNetwork`; None where the file is missing, spandrel is not installed or
        does not know it, or it holds weights of the network that the option file names.
    """
    if not Path(file).is_file() or not spandrel_reader.is_installed():
        return None
    try:
        checkpoint = load_checkpoint(file)
        if _is_ours(checkpoint):
            return None
        found = spandrel_reader.recognise(checkpoint)
    except (UserError, OSError):
        # what is wrong with the file is told where it is loaded
        return None
    name = str((block or {}).get("type"))
    if found is None or found.name == _SAME.get(name, name):
        return None
    return {"type": spandrel_reader.SpandrelNetwork.__name__, "file": file}


def _is_ours(checkpoint: Checkpoint) -> bool:
    named = (checkpoint.network or {}).get("type")
    return named in NETWORKS or find_family(checkpoint.params) is not None
