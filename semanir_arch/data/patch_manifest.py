"""The record in a folder of patches, by which an interrupted extraction continues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semanir_arch.data.image_io import replace_file
from semanir_arch.data.patches import patch_path

MANIFEST = "manifest.json"
"""File name of the record."""


class PatchManifest:
    """What a folder of patches holds: the parameters, and a record of every image that is done.

    Args:
        folder: The folder; it need not exist.
        parameters: Everything that decides which patches there are, as plain JSON values.

    Raises:
        ValueError: The folder holds something else, or patches of other parameters.
    """

    def __init__(self, folder: Path, parameters: dict[str, Any]) -> None:
        self.folder = folder
        self.parameters = parameters
        self.images: dict[str, dict[str, int]] = {}
        self._path = folder / MANIFEST
        if self._path.is_file():
            self._read()
        elif folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(f"{folder}: not empty, and not a folder of patches")

    def stem(self, name: str) -> Path:
        """Path of the patches of an image up to their number."""
        return self.folder / Path(name).with_suffix("")

    def is_done(self, name: str, path: Path) -> bool:
        """Whether all patches of an image are there.

        Args:
            name: Path of the image below the input folder.
            path: The image.

        Raises:
            ValueError: The image changed since it was cut.
        """
        record = self.images.get(name)
        if record is None:
            return False
        if record["bytes"] != path.stat().st_size:
            raise ValueError(f"{path} changed since its patches were cut; {self._remedy()}")
        numbers = range(record["patches"])
        return all(patch_path(self.stem(name), number).is_file() for number in numbers)

    def count(self, key: str) -> int:
        """Sum of a number over all images."""
        return sum(record[key] for record in self.images.values())

    def write(self) -> None:
        """Save; the folder is made if needed."""
        content = {"parameters": self.parameters, "images": self.images}
        replace_file(self._path, (json.dumps(content, indent=1) + "\n").encode())

    def _read(self) -> None:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            earlier, self.images = content["parameters"], content["images"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self._path}: damaged; {self._remedy()}") from error
        if earlier != self.parameters:
            changes = ", ".join(
                f"{key} {earlier.get(key)} instead of {value}"
                for key, value in self.parameters.items()
                if earlier.get(key) != value
            )
            raise ValueError(
                f"{self.folder}: holds patches of other parameters ({changes}); {self._remedy()}"
            )

    def _remedy(self) -> str:
        return f"delete {self.folder} or choose another folder"
