"""Imported once by the server that forks trainings, for all of them."""

from __future__ import annotations

import PIL.Image

import semanir_arch.commands.train
import semanir_arch.runs.class_schemas  # noqa: F401 - imported for what it imports: BasicSR

# formats that Pillow otherwise imports with the first picture of every process
PIL.Image.init()
