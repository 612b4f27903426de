"""TensorBoard, and Weights & Biases through it: scalars, pictures, the options of the run."""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.metrics.scores import Example
from semanir_arch.training.observer import Observer, TrainingFacts
from semanir_arch.utils import processes
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.folder_lock import archive
from semanir_arch.utils.options import to_yaml

__all__ = ["TensorBoardPictures", "open_tensorboard"]

_SIDE = 384
"""Largest side of a picture's part in pixels; larger images show their middle."""

_GAP = 4
"""White pixels between the parts."""

_RUN_ID = "wandb_id.txt"


def open_tensorboard(options: dict[str, Any], done: int) -> Any:
    """Open the TensorBoard writer, and before it the run of Weights & Biases that mirrors it.

    Args:
        options: Complete options, as BasicSR parses them; a missing `use_tb_logger` is filled in.
        done: Iterations that have been run; what the file holds of later ones is hidden, because
            it will come again. With 0, an older one is moved aside.

    Returns:
        The writer, or None where none is asked for and in all processes but the first.

    Raises:
        ValueError: Weights & Biases without TensorBoard, or without its package.
    """
    logger, name = options["logger"], str(options["name"])
    # BasicSR's loggers look it up without asking whether it is there.
    wanted = logger.setdefault("use_tb_logger", False)
    mirrored = (logger.get("wandb") or {}).get("project") is not None
    if mirrored and not wanted:
        raise InputError("logger:wandb: it mirrors TensorBoard; set logger:use_tb_logger: true")
    if not wanted or "debug" in name or processes.rank() != 0:
        return None
    folder = Path(options["root_path"]) / "tb_logger" / name
    if done == 0:
        archive(folder)
    if mirrored:
        # Before the writer, or nothing is mirrored: https://github.com/XPixelGroup/BasicSR/pull/358
        _start_wandb(options)
    tensorboard = importlib.import_module("torch.utils.tensorboard")
    return tensorboard.SummaryWriter(str(folder), purge_step=done + 1 if done else None)


class TensorBoardPictures(Observer):
    """Shows the options, and after every validation one image of each set.

    Scalars need no help: BasicSR's loggers write them, losses as `losses/l_pix`, means as
    `metrics/SET/METRIC`.
    """

    def __init__(self) -> None:
        self._facts: TrainingFacts | None = None

    def started(self, facts: TrainingFacts) -> None:
        """Write the options as text."""
        if facts.tb_logger is None:
            return
        self._facts = facts
        # Through JSON, because BasicSR's mappings remember their order in a class of their own.
        text = to_yaml(json.loads(json.dumps(facts.options)))
        indented = "".join(f"    {line}\n" for line in text.splitlines())
        facts.tb_logger.add_text("options", indented, facts.done)

    def validated(self, iteration: int, dataset: str) -> None:
        """Write the set's first image: input, output and target side by side."""
        if self._facts is None:
            return
        # Models of BasicSR keep no examples.
        example = getattr(self._facts.model, "examples", {}).get(dataset)
        if example is not None:
            tag = f"images/{dataset}/{example.image}"
            self._facts.tb_logger.add_image(tag, lay_out(example), iteration, dataformats="HWC")


def lay_out(example: Example) -> npt.NDArray[np.uint8]:
    """The parts of an example side by side.

    Args:
        example: An input smaller than its output is enlarged without smoothing.

    Returns:
        Shape (H, W, 3).
    """
    height, width = example.parts["output"].shape[:2]
    parts = [_middle(_color(_enlarge(part, height, width))) for part in example.parts.values()]
    gap = np.full((parts[0].shape[0], _GAP, 3), 255, np.uint8)
    spaced = [piece for part in parts for piece in (gap, part)]
    return np.concatenate(spaced[1:], axis=1)


def _enlarge(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    rows, columns = (
        np.arange(wanted) * present // wanted
        for wanted, present in zip((height, width), image.shape[:2], strict=True)
    )
    return image[rows][:, columns]


def _color(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB as it is; gray, or channels that are no colors, as gray."""
    if image.shape[2] == 3:
        return image
    gray = image.mean(axis=2, keepdims=True).round().astype(np.uint8)
    return np.repeat(gray, 3, axis=2)


def _middle(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, (side - _SIDE) // 2) for side in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE]


def _start_wandb(options: Mapping[str, Any]) -> None:
    """Begin a run there, or continue the one that this experiment began.

    BasicSR begins a new one after every resume, unless the user looks up its number.
    """
    try:
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        raise InputError(
            "logger:wandb: the package wandb is not installed: pip install wandb, or wandb: null"
        ) from error
    block = options["logger"]["wandb"]
    file = Path(options["path"]["experiments_root"]) / _RUN_ID
    known = file.read_text(encoding="utf-8").strip() if file.is_file() else uuid.uuid4().hex[:8]
    number = block.get("resume_id") or known
    write_text(file, f"{number}\n")
    wandb.init(
        id=number,
        resume="allow",
        name=options["name"],
        config=json.loads(json.dumps(options)),
        project=block["project"],
        sync_tensorboard=True,
    )
