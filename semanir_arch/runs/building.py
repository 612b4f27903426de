"""Data sets and models, built through BasicSR's registries.

What BasicSR's own classes say of the user's files and options is told as an error of the user's.
Classes of this package speak for themselves, and a class of somebody else keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset

from semanir_arch import host
from semanir_arch.utils.errors import InputError, UserError

__all__ = ["build_dataset", "build_loader", "build_model"]

_COMPLAINTS = (
    *(AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    cv2.error,
)
"""Errors of BasicSR's data sets about folders, names, sizes and damaged images: they check
little."""

_MISFIT = "Error(s) in loading state_dict"


def build_dataset(phase: str, block: dict[str, Any]) -> Any:
    """A data set.

    Args:
        phase: Key in `datasets`, for messages.
        block: Complete options of the data set.

    Raises:
        ValueError: It cannot be built with these options, or from these files.
    """
    data = host.load("basicsr.data")
    kind = host.load("basicsr.utils.registry").DATASET_REGISTRY.get(block["type"])
    if not kind.__module__.startswith("basicsr."):
        return data.build_dataset(block)
    place = f"datasets:{phase}: {block['type']}"
    with _told(f"{place} cannot be built from these options and files"):
        dataset = data.build_dataset(block)
    return _DatasetOfBasicSR(dataset, place)


def build_loader(phase: str, block: dict[str, Any]) -> DataLoader[Any]:
    """A data set of a test or validation, one image per batch; as `build_dataset`."""
    dataset = build_dataset(phase, block)
    loader: DataLoader[Any] = host.load("basicsr.data").build_dataloader(dataset, block)
    return loader


def build_model(options: dict[str, Any]) -> Any:
    """The model, with its networks and their weights.

    Args:
        options: Complete options, as BasicSR parses them.

    Raises:
        ValueError: Weights do not fit, or the file holds none where they are looked for.
    """
    path: Mapping[str, Any] = options["path"]
    files = [str(path[key]) for key in path if key.startswith("pretrain_network") and path[key]]
    keys = {path[key] for key in path if key.startswith("param_key")} | {"params"}
    try:
        return host.load("basicsr.models").build_model(options)
    except RuntimeError as error:
        if not str(error).startswith(_MISFIT):
            raise
        raise InputError(f"path: {' or '.join(files)} does not fit the network: {error}") from error
    except KeyError as error:
        if not files or error.args[0] not in keys:
            raise
        raise InputError(
            f"path: {' or '.join(files)} has no entry {error.args[0]!r} with weights; param_key_g "
            "names the one that has"
        ) from error


class _DatasetOfBasicSR(Dataset[Any]):
    """A data set of BasicSR's whose complaints name item and files.

    Args:
        dataset: The data set.
        place: Description of its place, for messages.
    """

    def __init__(self, dataset: Any, place: str) -> None:
        self._dataset = dataset
        self._place = place

    def __len__(self) -> int:
        """Number of items."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        """An item."""
        with _told(f"{self._place}, item {index}{_files(self._dataset, index)}"):
            return self._dataset[index]

    def __getattr__(self, name: str) -> Any:
        """What the data set has; asked for what this object has not."""
        if name.startswith("_"):
            # before the object is complete, as when it is unpickled
            raise AttributeError(name)
        return getattr(self._dataset, name)


def _files(dataset: Any, index: int) -> str:
    paths = getattr(dataset, "paths", None)
    if not isinstance(paths, Sequence) or not index < len(paths):
        return ""
    entry = paths[index]
    names = entry.values() if isinstance(entry, Mapping) else [entry]
    return f" ({', '.join(map(str, names))})"


@contextmanager
def _told(what: str) -> Generator[None, None, None]:
    try:
        yield
    except UserError:
        raise
    except _COMPLAINTS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if isinstance(error, AttributeError) and "NoneType" in reason:
            # OpenCV returns nothing for what it cannot decode
            reason = "an image cannot be read; is its file damaged?"
        elif isinstance(error, KeyError):
            reason = f"{reason} is missing"
        raise InputError(f"{what}: {reason}") from error
