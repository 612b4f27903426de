"""Whether training patches fit into the images, from the headers of some of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import PIL.Image

from semanir_arch.runs.batch_schedule import BatchSchedule
from semanir_arch.utils.options import OptionError, Problem

__all__ = ["compare_patch_with_images"]

_LOGGER = logging.getLogger("basicsr")

_LOOKED_AT = 32


def compare_patch_with_images(
    dataset: Any, block: Mapping[str, Any], schedule: BatchSchedule
) -> None:
    """Warn of images that are smaller than a patch; refuse them where BasicSR would fail on them.

    Data sets of this package extend such images by reflection, so a network would learn from
    mirrored pixels without anybody knowing. Images in LMDBs and MATLAB files are not looked at.

    Args:
        dataset: The training set.
        block: Options of `datasets:train`.
        schedule: Batch schedule with its stages.

    Raises:
        OptionError: An image is too small for a data set of BasicSR.
    """
    key = "gt_size" if "gt_size" in block else "patch_size"
    own = getattr(dataset, "patch_size", None) or block.get("gt_size")
    sides = [stage.patch_size or own for stage in schedule.stages]
    side = max((side for side in sides if isinstance(side, int)), default=0)
    sizes = _sizes(dataset) if side else {}
    small = {file: size for file, size in sizes.items() if min(size) < side}
    if not small:
        return
    smallest = min(small, key=lambda file: min(small[file]))
    width, height = small[smallest]
    text = (
        f"received {side}, but {len(small)} of {len(sizes)} images looked at are smaller; "
        f"the smallest is {smallest} with {width} x {height} pixels"
    )
    if not hasattr(dataset, "patch_size"):
        raise OptionError(Problem("", ("datasets", "train", key), text))
    _LOGGER.warning(
        "datasets:train:%s: %s. They are extended by reflection, and the network learns from "
        "mirrored pixels; choose a smaller patch, or larger images.",
        *(key, text),
    )


def _sizes(dataset: Any) -> dict[str, tuple[int, int]]:
    """Width and height of some targets, evenly spread, by file."""
    count = len(dataset)
    indices = sorted({index * count // _LOOKED_AT for index in range(min(count, _LOOKED_AT))})
    if count <= _LOOKED_AT:
        indices = list(range(count))
    sizes = {}
    for index in indices:
        path = _target(dataset, index)
        if path is None or not path.is_file():
            continue
        try:
            with PIL.Image.open(path) as image:
                sizes[str(path)] = image.size
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
            # whoever reads it says what is wrong with it
            continue
    return sizes


def _target(dataset: Any, index: int) -> Path | None:
    """File of the clean image of an item; None where a data set does not say."""
    if hasattr(dataset, "source"):
        return Path(dataset.source.path(index))
    if hasattr(dataset, "index"):
        return Path(dataset.index.paths(index)[-1])
    paths = getattr(dataset, "paths", None)
    entry = paths[index] if isinstance(paths, list) else None
    return Path(entry["gt_path"]) if isinstance(entry, dict) and "gt_path" in entry else None
