"""Real pairs: a degraded and a clean image of the same scene.

Deblurring, deraining, adverse weather, low light, defocus, real noise and super-resolution from
stored images differ only in their folders, names and scale: see `name_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Any, ClassVar

import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from semanir_arch.data.datasets.dataset_options import (
    PATCH,
    READING_OPTIONS,
    ROOTS,
    checked_choice,
    checked_phase,
)
from semanir_arch.data.datasets.training_patch import to_tensor
from semanir_arch.data.datasets.transforms import (
    Orientation,
    crop,
    draw_orientation,
    draw_position,
    orient,
    pad_to_size,
)
from semanir_arch.data.files.image_io import Image, convert_channels
from semanir_arch.data.randomness import item_generator
from semanir_arch.data.sources.name_rules import NAME_RULE, NAME_RULES
from semanir_arch.data.sources.pair_index import build_pair_index
from semanir_arch.data.sources.reading import read_all
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Length, OneOf, Option, read_options
from semanir_arch.utils.options.basicsr_classes import TEMPLATE

Pixels = NDArray[Any]

_COLUMNS = (["gt"], ["lq"], ["lq", "gt"], ["gt", "lq"])
_FORMS = "folder or *.lmdb, or a list of them read as one set; folders are read with sub-folders"


class PairedRestorationDataset(Dataset[dict[str, Any]]):
    """Pairs of images from folders, LMDBs or SIDD's MATLAB files.

    In training, an item is a random patch in a random orientation; images smaller than the patch
    are extended by reflection. Otherwise it is the whole pair. Targets may be larger than `scale`
    times the input by less than `scale` pixels, which are cut off at the bottom and the right.

    Args:
        opt: `phase` ('train', 'val' or 'test'), `scale` (target pixels per input pixel, 1 if left
            out) and the options of `OPTIONS`; others are ignored.

    Raises:
        FileNotFoundError: A folder or file does not exist.
        ValueError: An option has a value that is not allowed, images have no partner, or (with
            `cache` or `check_files`) are damaged.
    """

    INPUT_ROOTS: ClassVar[tuple[str, ...]] = ("dataroot_lq",)
    """Options that name the inputs; the channels of several are put one behind the other."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        "dataroot_gt": Option(ROOTS, help=f"clean images: {_FORMS}"),
        "dataroot_lq": Option(ROOTS, help=f"degraded images, one entry per dataroot_gt: {_FORMS}"),
        "filename_tmpl": Option(
            (TEMPLATE, Annotated[list[TEMPLATE], Length(1)]),
            default="{}",
            help="name of the input without suffix, where {} is the target's; or one per root",
        ),
        "name_rule": Option(
            (NAME_RULE, Annotated[list[NAME_RULE], Length(1)]),
            default="same",
            help=f"from the input's name to the target's: {', '.join(NAME_RULES)}, or [regular "
            "expression, replacement]; or a list with one per root",
        ),
        "meta_info_file": Option(
            (str, Annotated[list[str | None], Length(1)]),
            default=None,
            help="text file that names the images to use, one pair per line; or one (or null) "
            "per root",
        ),
        "meta_info_columns": Option(
            Annotated[list[str], OneOf(*_COLUMNS)],
            default=("gt",),
            help="what a line of meta_info_file holds: [gt], [lq], [lq, gt] or [gt, lq]",
        ),
        "channels": Option(int, default=3, choices=(1, 3), help="1 reads gray, 3 reads RGB"),
        "patch_size": Option(
            PATCH,
            default=128,
            help="training patch in target pixels, a multiple of scale",
            training_only=True,
        ),
        "use_hflip": Option(bool, default=True, help="random horizontal flips in training"),
        "use_rot": Option(
            bool, default=True, help="random vertical flips and transposition in training"
        ),
        **READING_OPTIONS,
    }

    @classmethod
    def input_channels(cls, options: Mapping[str, Any]) -> int:
        """Channels of `lq`, from complete options."""
        return int(options["channels"]) * len(cls.INPUT_ROOTS)

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq` in height and width."""
        return int(options["scale"])

    @classmethod
    def patch_step(cls, options: Mapping[str, Any]) -> int:
        """Number that `patch_size` must be a multiple of."""
        return cls.pixel_ratio(options)

    def __init__(self, opt: Mapping[str, Any]) -> None:
        self.opt = opt
        options = read_options(self.OPTIONS, opt)
        self.is_training = checked_phase(opt) == "train"
        self.channels = checked_choice(options, "channels", (1, 3))
        self.scale = opt.get("scale", 1)
        if not isinstance(self.scale, int) or self.scale < 1:
            raise InputError(f"scale must be an integer of 1 or more, received {self.scale!r}")
        self.patch_size = options["patch_size"]
        if self.is_training:
            self._input_patch_size()
        self.use_hflip = options["use_hflip"]
        self.use_rot = options["use_rot"]
        self.index = build_pair_index(options, self.INPUT_ROOTS)
        self._cached: list[list[Pixels]] | None = None
        if options["cache"] or options["check_files"]:
            images = read_all(len(self), self._read, self.index.name, keep=options["cache"])
            self._cached = images if options["cache"] else None

    @property
    def item_names(self) -> Sequence[str]:
        """Names of the pairs in results."""
        return self.index.labels

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.index)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One pair.

        Returns:
            `lq` and `gt`: (C, H, W) float32 in [0, 1], RGB or gray; `gt` is `scale` times as high
            and wide. `lq_path` and `gt_path`: the files.

        Raises:
            ValueError: An image is unreadable, or the sizes do not fit. Both files are named.
        """
        with ExitStack() as stack:
            images = self._aligned(self._images(index, stack), index)
            if self.is_training:
                images = self._patches(images)
            *inputs, gt = (to_tensor(convert_channels(Image(i), self.channels)) for i in images)
        paths = self.index.paths(index)
        return {"lq": torch.cat(inputs), "gt": gt, "lq_path": paths[0], "gt_path": paths[-1]}

    def _images(self, index: int, stack: ExitStack) -> list[Pixels]:
        """The images of a pair, some of which may exist until the stack is closed only."""
        if self._cached is not None:
            return self._cached[index]
        if self.is_training:
            return [stack.enter_context(view) for view in self.index.views(index)]
        return self.index.read(index)

    def _patches(self, images: list[Pixels]) -> list[Pixels]:
        """The same random place and orientation of all images, as views where possible."""
        generator = item_generator()
        size = self._input_patch_size()
        height, width = (max(size, length) for length in images[0].shape[:2])
        top, left = draw_position(height, width, size, generator)
        orientation = draw_orientation(generator, self.use_hflip, self.use_rot)
        scales = [1] * (len(images) - 1) + [self.scale]
        return [
            _cut(image, top * scale, left * scale, size * scale, orientation)
            for image, scale in zip(images, scales, strict=True)
        ]

    def _aligned(self, images: list[Pixels], index: int) -> list[Pixels]:
        """The images with the surplus of the target cut off."""
        *inputs, gt = images
        height, width = (length * self.scale for length in inputs[0].shape[:2])
        surplus = gt.shape[0] - height, gt.shape[1] - width
        same = all(image.shape[:2] == inputs[0].shape[:2] for image in inputs)
        if not same or not all(0 <= pixels < self.scale for pixels in surplus):
            sizes = ", ".join(
                f"{image.shape[0]} x {image.shape[1]} in {path}"
                for image, path in zip(images, self.index.paths(index), strict=True)
            )
            raise InputError(f"sizes do not fit at scale {self.scale}: {sizes}")
        return [*inputs, gt[:height, :width]]

    def _input_patch_size(self) -> int:
        """Side of a patch of the input; `patch_size` may be changed between items."""
        if self.patch_size < 1 or self.patch_size % self.scale:
            raise InputError(
                f"patch_size must be a multiple of scale ({self.scale}), received {self.patch_size}"
            )
        return self.patch_size // self.scale

    def _read(self, index: int) -> list[Pixels]:
        return self._aligned(self.index.read(index), index)


def _cut(image: Pixels, top: int, left: int, size: int, orientation: Orientation) -> Pixels:
    # does nothing but for small images
    extended = pad_to_size(image, size, mode="symmetric")
    return orient(crop(extended, top, left, size), orientation)
