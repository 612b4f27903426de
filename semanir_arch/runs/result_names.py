"""Refuses at the start what would let results of equal names replace each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from semanir_arch.data.sources.item_names import ItemNames
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import OptionError, Problem, Resolved
from semanir_arch.utils.same_names import clashes, folded

__all__ = ["check_item_names", "check_set_names"]


def check_set_names(resolved: Resolved) -> None:
    """Scores, images and best metrics are kept by the names of the evaluated data sets.

    Raises:
        OptionError: Two have names that are one for some system.
    """
    named: dict[str, str] = {}
    for key, block in (resolved.options.get("datasets") or {}).items():
        if key.split("_")[0] == "train" or not isinstance(block, Mapping):
            continue
        name = str(block.get("name"))
        if named.setdefault(folded(name), key) != key:
            where = ("datasets", key, "name")
            text = f"received {name!r}, which is the name of {named[folded(name)]} as well"
            raise OptionError(Problem(resolved.merged.origin(where), where, text))


def check_item_names(datasets: Mapping[str, Any], options: Mapping[str, Any], model: Any) -> None:
    """Compare the names of all images before the first is restored.

    Models of BasicSR write restored images by the file's name alone, and in a training into one
    folder for all sets.

    Args:
        datasets: The evaluated data sets by name.
        options: Complete options of the run.
        model: Model that will restore them.

    Raises:
        ValueError: Two results would have the same name.
    """
    for dataset in datasets.values():
        ItemNames(dataset).check()
    writes = bool((options.get("val") or {}).get("save_img"))
    if not writes or hasattr(model, "keeper"):
        return
    twice = clashes(_files_of_basicsr(datasets, is_train=bool(options.get("is_train"))))
    if twice:
        raise InputError(
            f"val:save_img: {options.get('model_type')} writes every image by its file name alone, "
            f"so that {len(twice)} would replace others, the first is {' or '.join(twice[0])}; use "
            "model_type: RestorationModel, which keeps folders, or save_img: false"
        )


def _files_of_basicsr(datasets: Mapping[str, Any], *, is_train: bool) -> Iterator[str]:
    for name, dataset in datasets.items():
        for item in ItemNames(dataset).known or ():
            yield PurePath(item).name if is_train else f"{name}/{PurePath(item).name}"
