"""What data sets share that make their degraded images themselves, from clean ones.

A subclass declares its own options beside the shared ones and says how an image is degraded: by
`degrade`, or, if it needs more than pixels, by `training_pair` and `evaluation_pair`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from semanir_arch.data.datasets.dataset_options import (
    PATCH,
    READING_OPTIONS,
    ROOTS,
    checked_choice,
    checked_phase,
)
from semanir_arch.data.datasets.training_patch import (
    TrainingPatch,
    draw_patch,
    to_tensor,
    without_margin,
)
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.levels import Level, parse_level
from semanir_arch.data.files.image_io import Image, convert_channels
from semanir_arch.data.randomness import item_generator, named_generator
from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.reading import read_all
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.errors import InputError, UserError
from semanir_arch.utils.options import Option, Strength, read_options

Pair = tuple[Tensor, Tensor]
"""Degraded and clean image, (C, H, W) float32."""


class CleanImageDataset(Dataset[dict[str, Any]]):
    """Clean images and degraded versions of them.

    In training, an item is a random patch in a random orientation, degraded anew each time.
    Otherwise it is a whole image, degraded the same each time: the randomness of each image is
    seeded by its name (`randomness.named_generator`).

    Args:
        opt: `phase` ('train', 'val' or 'test') and the options of `OPTIONS`; others are ignored.

    Raises:
        FileNotFoundError: A folder does not exist.
        ValueError: An option has a value that is not allowed, a folder holds no image, or (with
            `cache` or `check_files`) images are unreadable.
    """

    DAMAGE: ClassVar[Damage | None] = None
    """Degradation of the images, as `semanir_arch.data.degradations` declares it."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        "dataroot_gt": Option(
            ROOTS,
            help="clean images: folder(s), read with sub-folders, or *.lmdb",
        ),
        "channels": Option(int, default=3, choices=(1, 3), help="1 reads gray, 3 reads RGB"),
        "patch_size": Option(
            PATCH, default=128, help="training patch in pixels, 1 or more", training_only=True
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
        return int(options["channels"])

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq` in height and width, from complete options."""
        del options
        return 1

    @classmethod
    def patch_step(cls, options: Mapping[str, Any]) -> int:
        """Number that `patch_size` must be a multiple of, from complete options."""
        return cls.pixel_ratio(options)

    def __init__(self, opt: Mapping[str, Any]) -> None:
        self.opt = opt
        self.options = read_options(self.OPTIONS, opt)
        self.is_training = checked_phase(opt) == "train"
        self.channels = checked_choice(self.options, "channels", (1, 3))
        self.patch_size = self.options["patch_size"]
        self.use_hflip = self.options["use_hflip"]
        self.use_rot = self.options["use_rot"]
        self.configure()
        if self.is_training:
            self._check_patch_size()
        self.source = self._open()
        # training has no use for them, and large sets have many
        self._names: Sequence[str] = () if self.is_training else self.source.names
        self._cached: list[NDArray[Any]] | None = None
        keep = self.options["cache"]
        if keep or self.options["check_files"]:
            images = read_all(len(self), self.source.read, "dataroot_gt", keep=keep)
            self._cached = images if keep else None

    def configure(self) -> None:
        """Check and keep the subclass's own options, from `self.options`.

        Raises:
            ValueError: One has a value that is not allowed.
        """

    @property
    def margin(self) -> int:
        """Pixels around a patch that `degrade` needs to know."""
        return 0

    @property
    def step(self) -> int:
        """Patches begin at multiples of it, and are a multiple of it wide."""
        return 1

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade a clean image.

        Args:
            image: (C, H, W) float32 in [0, 1]; in training with `margin` pixels around the patch.
            generator: Source of randomness.

        Returns:
            (C, H, W) float32.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how it degrades")

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Degraded and clean patch."""
        surrounded = to_tensor(patch.pixels(self.margin))
        lq = self.degrade(surrounded, generator)
        return without_margin(lq, self.margin), without_margin(surrounded, self.margin)

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Degraded and clean image.

        Args:
            pixels: (H, W, C) as stored, gray or RGB.
            index: Index of the image.
        """
        gt = to_tensor(pixels)
        return self.degrade(gt, named_generator(self._names[index])), gt

    @property
    def item_names(self) -> Sequence[str]:
        """Names of the images in results."""
        return self.source.labels

    def __len__(self) -> int:
        """Number of images."""
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One pair.

        Returns:
            `lq` and `gt`: (C, H, W) float32, RGB or gray; `gt` in [0, 1]. `lq_path` and `gt_path`:
            the clean file.

        Raises:
            ValueError: The image is unreadable, or `patch_size` was set to what cannot be.
        """
        with self._image(index) as image:
            if self.is_training:
                generator = item_generator()
                lq, gt = self.training_pair(self._draw(image, generator), generator)
            else:
                pixels = convert_channels(Image(image), self.channels)
                lq, gt = self.evaluation_pair(pixels, index)
        path = self.source.path(index)
        return {"lq": lq, "gt": gt, "lq_path": path, "gt_path": path}

    def level(self, key: str) -> Level:
        """The strength that an option gives, see `levels`.

        Args:
            key: Name of an option that is declared as a `Strength`.

        Raises:
            ValueError: It has none of the forms, or lies outside its limits.
        """
        limits: Strength = self.OPTIONS[key].type
        return parse_level(
            self.options[key], key, limits.lowest, limits.highest, whole=limits.whole
        )

    def constant_level(self, level: Level, key: str) -> Level:
        """A strength that test sets give as one number, as published tables do.

        Raises:
            ValueError: It is a range or a list, and this is no training set.
        """
        if not self.is_training and not level.is_constant:
            received = self.options[key]
            raise InputError(f"{key} must be a number outside training, received {received!r}")
        return level

    def _open(self) -> ImageSource:
        try:
            return open_source(self.options["dataroot_gt"], self.options["index_cache"])
        except UserError as error:
            raise type(error)(f"dataroot_gt: {error}") from error

    def _image(self, index: int) -> AbstractContextManager[NDArray[Any]]:
        if self._cached is None:
            return self.source.view(index)
        return nullcontext(self._cached[index])

    def _draw(self, image: NDArray[Any], generator: torch.Generator) -> TrainingPatch:
        # read anew for every item: progressive training changes it
        self._check_patch_size()
        return draw_patch(
            image,
            self.channels,
            self.patch_size,
            generator,
            flip=self.use_hflip,
            rotate=self.use_rot,
            step=self.step,
        )

    def _check_patch_size(self) -> None:
        if self.patch_size < 1 or self.patch_size % self.step:
            allowed = "1 or more" if self.step == 1 else f"a multiple of {self.step}"
            raise InputError(f"patch_size must be {allowed}, received {self.patch_size}")
