"""Old names of modules: what documents and scripts imported before the modules moved still works.

`semanir_arch` installs `Finder` at import. It loads the module under its present name, so that
there is never a second copy of it, and says so in one line.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

__all__ = ["MOVED", "Finder"]

_PACKAGE = "semanir_arch."

MOVED: dict[str, str] = {
    "data.bayer": "data.degradations.bayer",
    "data.bicubic_sr_dataset": "data.datasets.bicubic_sr_dataset",
    "data.clean_images": "data.datasets.clean_images",
    "data.dataset_options": "data.datasets.dataset_options",
    "data.deep_pixels": "data.files.deep_pixels",
    "data.demosaicking_dataset": "data.datasets.demosaicking_dataset",
    "data.dnd_source": "data.sources.dnd_source",
    "data.dual_pixel_defocus_dataset": "data.datasets.dual_pixel_defocus_dataset",
    "data.fast_png": "data.files.fast_png",
    "data.gaussian_denoising_dataset": "data.datasets.gaussian_denoising_dataset",
    "data.image_encoding": "data.files.image_encoding",
    "data.image_io": "data.files.image_io",
    "data.image_metadata": "data.files.image_metadata",
    "data.jpeg_compression_dataset": "data.datasets.jpeg_compression_dataset",
    "data.levels": "data.degradations.levels",
    "data.lmdb_source": "data.sources.lmdb_source",
    "data.lmdb_store": "data.sources.lmdb_store",
    "data.lmdb_values": "data.sources.lmdb_values",
    "data.mat_blocks": "data.sources.mat_blocks",
    "data.matlab_resize": "data.degradations.matlab_resize",
    "data.metadata_chunks": "data.files.metadata_chunks",
    "data.name_rules": "data.sources.name_rules",
    "data.name_table": "data.sources.name_table",
    "data.pair_index": "data.sources.pair_index",
    "data.paired_restoration_dataset": "data.datasets.paired_restoration_dataset",
    "data.pairing": "data.sources.pairing",
    "data.reading": "data.sources.reading",
    "data.scanning": "data.sources.scanning",
    "data.submission_dataset": "data.datasets.submission_dataset",
    "data.submissions": "data.datasets.submissions",
    "data.synthetic_defocus_dataset": "data.datasets.degraded",
    "data.synthetic_low_light_dataset": "data.datasets.degraded",
    "data.synthetic_motion_blur_dataset": "data.datasets.degraded",
    "data.synthetic_rain_dataset": "data.datasets.degraded",
    "data.synthetic_raindrops_dataset": "data.datasets.degraded",
    "data.synthetic_snow_dataset": "data.datasets.degraded",
    "data.training_patch": "data.datasets.training_patch",
    "data.transforms": "data.datasets.transforms",
    "data.datasets.old_photograph_dataset": "data.datasets.degraded",
    "data.datasets.photographic_blur_dataset": "data.datasets.degraded",
    "data.datasets.second_order_dataset": "data.datasets.degraded",
    "data.datasets.shuffled_damage_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_defocus_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_low_light_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_motion_blur_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_rain_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_raindrops_dataset": "data.datasets.degraded",
    "data.datasets.synthetic_snow_dataset": "data.datasets.degraded",
    "data.preparation.damages": "data.degradations.damages",
    "engine.board": "training.tensorboard",
    "engine.cases": "runs.sweep",
    "engine.catalogue": "runs.class_schemas",
    "engine.checks": "runs.checks",
    "engine.claim": "utils.folder_lock",
    "engine.command_line": "runs.arguments",
    "engine.countdown": "evaluation.countdown",
    "engine.failures": "runs.failures",
    "engine.identity": "evaluation.cache_key",
    "engine.ledger": "evaluation.score_cache",
    "engine.loaders": "training.loaders",
    "engine.loop": "training.loop",
    "engine.observer": "training.observer",
    "engine.plan": "runs.batch_schedule",
    "engine.profile": "training.profile",
    "engine.progress": "training.progress_line",
    "engine.randomness": "training.random_states",
    "engine.records": "evaluation.records",
    "engine.resuming": "training.resuming",
    "engine.run": "runs.prepare",
    "engine.sampling": "training.sampling",
    "engine.saving": "training.checkpointing",
    "engine.shipping": "shipping",
    "engine.signals": "utils.signals",
    "engine.states": "training.states",
    "engine.test": "commands.test",
    "engine.testing": "runs.test_run",
    "engine.train": "commands.train",
    "engine.training": "training.trainer",
    "engine.weights_file": "runs.weights_file",
    "inference": "restoring",
    "utils.convert": "commands.convert",
    "weights.tasks": "tasks",
    "weights.words": "tasks",
    "models.evaluation": "metrics.scores",
    "models.key_count": "modules.key_count",
    "models.restoring": "evaluation.image_restoring",
    "models.validation": "evaluation.validation",
    "restoring.cli": "commands.restore",
    "restoring.export": "commands.export",
    "restoring.restore_arguments": "commands.restore_arguments",
}
"""Present name of a module by its old one, both below `semanir_arch`."""

_PACKAGES = {"engine"}
"""Packages that are gone; each only leads to the modules that were in it."""


class Finder(MetaPathFinder):
    """Finds modules under the names they had before."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """A spec whose loader hands out the module of the present name; None for other names."""
        name = fullname.removeprefix(_PACKAGE)
        if name == fullname:
            return None
        if name in _PACKAGES:
            return ModuleSpec(fullname, _Empty(), is_package=True)
        present = find_present(name)
        if present is None or importlib.util.find_spec(_PACKAGE + present) is None:
            return None
        return ModuleSpec(fullname, _Alias(_PACKAGE + present))


def find_present(name: str) -> str | None:
    """The present name of a module, or of a package that contains it, that had moved.

    Args:
        name: Module name below `semanir_arch`.
    """
    head, tail = name, ""
    while head:
        if head in MOVED:
            return MOVED[head] + tail
        head, dot, last = head.rpartition(".")
        tail = f"{dot}{last}{tail}"
    return None


class _Alias(InspectLoader):
    """Loads the module of another name.

    Args:
        present: Full present name.
    """

    def __init__(self, present: str) -> None:
        self._present = present

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the module under its present name."""
        warnings.warn(f"{spec.name} is now {self._present}", DeprecationWarning, stacklevel=2)
        module = importlib.import_module(self._present)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing; undo the import system's change of the spec."""
        module.__spec__ = self._spec

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """Code that `python -m` runs for the old name."""
        run = f"runpy.run_module({self._present!r}, run_name='__main__', alter_sys=True)"
        return f"import runpy\n{run}\n"

    def get_code(self, fullname: str) -> CodeType:
        """`get_source`, compiled."""
        return compile(self.get_source(fullname), fullname, "exec")

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002
        """Never a package for `python -m`, which would look for `__main__` in it."""
        return False


class _Empty(InspectLoader):
    """Loads a package that holds nothing."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make it."""

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing; undo the import system's change of the spec."""

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """No code."""
        return ""

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002
        """Whether it is a package: always."""
        return True
