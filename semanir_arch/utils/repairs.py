"""What repairs an environment: the one place that knows how BasicSR is installed.

`make`, `python -m semanir_arch.doctor --repair` and the messages about a missing BasicSR all use
this file, so that none of them can go out of date alone.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from semanir_arch.utils.errors import UnavailableError

__all__ = [
    "BASICSR",
    "COMMAND",
    "Repair",
    "install_basicsr",
    "installed",
    "missing_requirements",
    "replace_packages",
]

COMMAND = "python -m semanir_arch.doctor --repair"
"""Command that messages tell the user to type."""

BASICSR = "basicsr==1.4.2"
"""The newest release, of August 2022."""

_BUILD = Path(__file__).parent / "basicsr_build"
"""Holds the `sitecustomize` that lets BasicSR's setup.py run on Python 3.13."""

_BUILD_TOOLS = "setuptools>=77.0.3"


@dataclass(frozen=True)
class Repair:
    """Commands of pip that repair one thing.

    Args:
        commands: Arguments of pip, once per command: `("install", "torch")`.
        variables: Variables added to the environment of these commands.
    """

    commands: Sequence[Sequence[str]]
    variables: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The same to be typed."""
        words = [f"{name}={shlex.quote(value)} " for name, value in self.variables.items()]
        return "; ".join(
            "".join(words) + shlex.join(["pip", *command]) for command in self.commands
        )

    def run(self, say: Callable[[str], None]) -> None:
        """Run the commands in this environment.

        Args:
            say: Function that gets one line before each command.

        Raises:
            RuntimeError: There is no pip here, or a command fails; pip has told why.
        """
        for command in self.commands:
            full = [*_pip(), *command]
            say(f"running: {shlex.join(full)}")
            # uv finds the environment by this variable, pip by the interpreter
            variables = {"VIRTUAL_ENV": sys.prefix} | self.variables
            code = subprocess.run(full, env=os.environ | variables, check=False).returncode
            if code != 0:
                raise UnavailableError(f"`{shlex.join(full)}` failed with exit code {code}")


def install_basicsr() -> Repair:
    """Install BasicSR, and what training needs beside it.

    Without build isolation, which would download a second torch; without dependencies, which name
    the abandoned tb-nightly and a second build of OpenCV; and with a bare `exec` that works on
    Python 3.13, see `basicsr_build/sitecustomize.py`.
    """
    missing = [_BUILD_TOOLS, *missing_requirements("train")]
    flags = ("--no-build-isolation", "--no-deps")
    return Repair(
        [("install", *missing), ("install", *flags, BASICSR)], {"PYTHONPATH": str(_BUILD)}
    )


def replace_packages(remove: Sequence[str], install: str) -> Repair:
    """Uninstall packages that overwrite each other's files, then install one anew.

    Args:
        remove: Distributions to remove. All go: uninstalling one of them takes files of the others
            along.
        install: Requirement of the one to install.
    """
    return Repair([("uninstall", "-y", *remove), ("install", install)])


def missing_requirements(extra: str) -> list[str]:
    """Requirements of one extra of this package that are not installed, as pip takes them.

    Args:
        extra: Name of the extra, for example `train`.
    """
    try:
        lines = metadata.requires("semanir-arch") or []
    except metadata.PackageNotFoundError:
        return []
    missing = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        name = re.match(r"[\w.-]+", requirement.strip())
        if name and f'extra == "{extra}"' in marker.replace("'", '"') and not installed(name[0]):
            missing.append(requirement.strip())
    return missing


def installed(package: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pip() -> list[str]:
    """The installer of this environment; those that uv makes have no pip."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip"]
    raise UnavailableError(
        "this environment has neither pip nor uv; put pip into it with: "
        f"{sys.executable} -m ensurepip"
    )
