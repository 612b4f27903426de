"""Adds to the wheel what lies beside the package in a clone; pyproject.toml holds all else.

Option files and scripts for data stay at the top of a clone, where people look for them. In a wheel
they lie inside the package, where `semanir_arch.utils.shipped` finds them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
BESIDE = ("options", "datasets_prep")
"""Folders that a wheel carries inside the package."""


def beside() -> Iterator[Path]:
    """Files of the folders beside the package, relative to this one."""
    for folder in BESIDE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                yield path.relative_to(ROOT)


class BuildWithFolders(build_py):
    """Copies the folders into the built package; an editable installation finds them in place."""

    def run(self) -> None:
        """Build the package, then add the folders."""
        super().run()
        if self.editable_mode:
            return
        for folder in BESIDE:
            shutil.rmtree(Path(self.build_lib, "semanir_arch", folder), ignore_errors=True)
        for path in beside():
            target = Path(self.build_lib, "semanir_arch", path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Everything that `run` writes."""
        added = [] if self.editable_mode else [*beside()]
        built: list[str] = super().get_outputs(include_bytecode)
        return built + [str(Path(self.build_lib, "semanir_arch", path)) for path in added]


setup(cmdclass={"build_py": BuildWithFolders})
