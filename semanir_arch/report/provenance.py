"""Where numbers come from: code, versions, computer."""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semanir_arch import __version__
from semanir_arch.utils import devices

__all__ = ["describe_computer", "find_commit", "list_versions"]

_ROOT = Path(__file__).parents[2]


@functools.cache
def find_commit() -> str | None:
    """Commit of the checkout that holds this package, with `-dirty` if files were changed since.

    Returns:
        Commit; None for an installed package, and without git.
    """
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    command = [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def list_versions() -> dict[str, str]:
    """Versions of what computes."""
    return {
        "semanir_arch": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def describe_computer(device: str) -> dict[str, Any]:
    """Device, threads and precision of the computation.

    Args:
        device: `cpu`, or the type of the current accelerator.
    """
    facts: dict[str, Any] = {"device": _name_processor(), "threads": torch.get_num_threads()}
    if device != "cpu":
        facts["device"] = devices.name_of(device)
    tf32 = device == "cuda" and torch.backends.cudnn.allow_tf32
    facts["precision"] = "fp32, convolutions in tf32" if tf32 else "fp32"
    return facts


def _name_processor() -> str:
    """Name of the processor, from where the system keeps it."""
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
