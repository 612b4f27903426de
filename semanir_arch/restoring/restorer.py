"""From a weights file, or a task, to restored images."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from semanir_arch.bridges.opening import find_weights
from semanir_arch.data.degradations.bayer import PHASES
from semanir_arch.modules.padding import pad_around
from semanir_arch.restoring.loading import (
    choose_device,
    describe,
    network_of,
    set_attention,
    task_of,
)
from semanir_arch.restoring.mosaics import OVERLAP as MOSAIC_OVERLAP
from semanir_arch.restoring.mosaics import check_mosaic, mosaic_reader, with_colors
from semanir_arch.restoring.pixels import Canvas, Pixels, split
from semanir_arch.restoring.precision import PRECISIONS, choose_precision
from semanir_arch.restoring.strength import (
    check_share,
    check_strength,
    keep_share,
    limit_noise,
    limit_to_quality,
)
from semanir_arch.restoring.visible import with_visible_colors
from semanir_arch.tasks import Task, get_task
from semanir_arch.utils import devices
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.utils.ensemble import self_ensemble
from semanir_arch.utils.errors import InputError, InputTypeError, NonFiniteError, OutOfMemoryError
from semanir_arch.utils.memory import is_out_of_memory
from semanir_arch.utils.tile_policy import TILES, attempts, count_pixels, make_tiling
from semanir_arch.utils.tiling import Tiling, restored_bands
from semanir_arch.weights import find

__all__ = ["PRECISIONS", "Restorer", "restore"]

_MARGIN = 8
"""Pixels that enlarging networks see beyond the border by default. They make all of the result
themselves, and their convolutions take what lies beyond the image for black."""

Progress = Callable[[float], None]
"""Told the share of the work that is done, from 0 to 1."""


@dataclass(frozen=True)
class _Work:
    """Way of one image through the network.

    Attributes:
        read: Rows and columns -> what `run` takes, on the CPU.
        run: Function from (1, C, h, w) to (1, `channels`, s h, s w).
        channels: Channels of the result.
        multiple: Number of pixels at whose multiples tiles begin.
    """

    read: Callable[[slice, slice], Tensor]
    run: Callable[[Tensor], Tensor]
    channels: int
    multiple: int


class Restorer:
    """Restores images with the network that a weights file holds.

    Memory is that of one tile, plus the image itself and the result.

    Args:
        weights: A file written by `train.py`, one that spandrel knows (docs/bridges.md), or
            `hf:USER/REPO[@REVISION]`; None for the one that the package ships for `task`.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps", "xpu", ...
        precision: "auto", "fp32", or "bf16": faster where the hardware has it, slightly less exact;
            see `precision.choose_precision`. The attribute says which was chosen.
        k: Keys kept per token, fewer for speed; None for the number the network was built with.
        backend: Implementation of the attention; see `semanir_arch.ops.backend`.
        tile: Side in pixels of the tiles in which images are restored; None restores them whole;
            "auto" does so up to a megapixel, and takes tiles of 512 pixels beyond, smaller ones
            where the memory is too small for these.
        overlap: Pixels that tiles share; 64, or a quarter of a small tile, if None.
        task: Task, a name in `semanir_arch.tasks.NETWORK_TASKS`; None for that of the weights.
        ensemble: Whether to average the results of all eight orientations, in eight times the time.
        margin: Mirrored pixels that the network sees beyond the border, rounded up to multiples of
            its windows; 8 for enlarging networks and 0 for others, if None. `test.py` shows none.

    Raises:
        FileNotFoundError: No such weights file, or none is shipped for the task.
        TypeError: An argument is of another type.
        ValueError: The file holds no weights, its network is not known here, or an argument is not
            allowed.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        k: int | None = None,
        backend: str = "auto",
        tile: int | str | None = "auto",
        overlap: int | None = None,
        *,
        task: str | None = None,
        ensemble: bool = False,
        margin: int | None = None,
    ) -> None:
        if isinstance(tile, str) and tile != "auto":
            raise InputError(f"tile={tile!r}; allowed: auto, None, or a number of pixels")
        tile = tile if isinstance(tile, str) else _whole_number("tile", tile)
        overlap, k = _whole_number("overlap", overlap), _whole_number("k", k)
        margin = _whole_number("margin", margin)
        if margin is not None and margin < 0:
            raise InputError(f"margin={margin} must be 0 or more pixels")
        smallest = tile if isinstance(tile, int) else TILES[-1]
        make_tiling(smallest, overlap)
        self._tile, self._overlap = tile, overlap
        self._too_large: float = math.inf
        self.ensemble = ensemble
        file = _file_for(task) if weights is None else find_weights(weights)
        checkpoint = load_checkpoint(file)
        self.weights, self.k = Path(checkpoint.source).name, k
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device, checkpoint)
        self.network = network_of(checkpoint).to(self.device)
        if precision == "bf16" and not getattr(self.network, "supports_bfloat16", True):
            raise InputError(
                f"{file}: its network, {describe(self.network)}, does not work in bf16; "
                "allowed: fp32"
            )
        set_attention(self.network, k, backend)
        self.task: Task | None = task_of(checkpoint) if task is None else get_task(task)
        self._check_task(checkpoint.source)
        self._margin = margin if margin is not None else _MARGIN if self.upscale > 1 else 0

    @property
    def upscale(self) -> int:
        """Factor by which a restored image is larger in height and width."""
        return self.network.upscale

    @property
    def demosaics(self) -> bool:
        """Whether images are taken as Bayer mosaics, or made into ones."""
        return self.task is not None and self.task.name == "demosaic"

    @torch.inference_mode()
    def restore(
        self,
        image: npt.NDArray[Any],
        *,
        sigma: float | None = None,
        quality: float | None = None,
        bayer: str | None = None,
        strength: float | None = None,
        progress: Progress | None = None,
    ) -> npt.NDArray[Any]:
        """Restore one image.

        Args:
            image: Gray (H, W) or (H, W, 1), gray and alpha (H, W, 2), RGB (H, W, 3) or RGBA
                (H, W, 4), of any size; uint8 in 0-255, uint16 in 0-65535, or floating point in
                [0, 1]. A network for color restores a gray image as three equal channels, of
                which the mean is returned; a network for gray restores the channels of a color
                image one by one.
            sigma: Bound for denoising: the removed part is scaled down so that its standard
                deviation does not exceed this, on the 0-255 scale; None for no bound.
            quality: Bound for JPEG artifacts: the correction is limited to what a JPEG file of this
                quality, 1 to 100, leaves open; None for no bound. See `strength`.
            bayer: Bayer phase for demosaicking: colors of the first two rows and columns, rggb if
                None. A gray image is the mosaic; from a color image the mosaic is taken first.
            strength: Share of the change to keep, 0 to 1; None for all. 0 gives the input exactly,
                or, where the size or the channels change, its bicubic enlargement or its linear
                interpolation.
            progress: Function that is told the progress; an error it raises ends the work.

        Returns:
            The restored image in the same layout, type and range, `upscale` times larger; alpha is
            kept (resized bicubically where the size changes), and colors that it hides are made
            of visible ones. Demosaicking makes gray RGB.

        Raises:
            TypeError: If `image` is no array, or it or an argument is of another type.
            ValueError: If it has another layout, no pixels, or values that are NaN, infinite or far
                from [0, 1], or if an argument means nothing for this task.
            MemoryError: If the device has too little memory for the image.
            FloatingPointError: If the network's output is not finite.
        """
        self.check_arguments(sigma, quality, bayer)
        check_share(strength)
        begin, end = (_ticker(progress, share) for share in (0.0, 1.0))
        given = split(image)
        pixels = with_visible_colors(given, begin)
        # strength is measured on what the network was given
        image = pixels.layers[..., 0] if pixels.flat else pixels.layers
        work = self._plan(pixels, bayer or "rggb")
        canvas = Canvas(pixels, work.channels, self.upscale)
        self._paint(canvas, work, pixels.size, progress)
        restored = canvas.finish()
        if sigma is not None:
            limit_noise(*self._colors(image, restored), sigma, end)
        if quality is not None:
            limit_to_quality(*self._colors(image, restored), quality, end)
        if strength is not None and strength < 1:
            # hidden colors are the input's as well, where all of it is wanted back
            before = given if strength == 0 else pixels
            mosaic = (bayer or "rggb") if self.demosaics else None
            keep_share(before, restored, strength, self.upscale, mosaic)
        return restored

    def check_arguments(
        self, sigma: float | None = None, quality: float | None = None, bayer: str | None = None
    ) -> None:
        """Refuse arguments of `restore` that mean nothing for this task.

        Raises:
            ValueError: Naming the argument and what is allowed.
        """
        check_strength(self.task, self.upscale, sigma, quality)
        if bayer is not None and not self.demosaics:
            raise InputError(f"bayer={bayer!r}: only for task 'demosaic'")
        if bayer is not None and bayer not in PHASES:
            raise InputError(f"bayer={bayer!r}; allowed: {', '.join(PHASES)}")

    def _check_task(self, source: Path) -> None:
        network = self.network
        if network.in_chans != network.out_chans and not self.demosaics:
            raise InputError(
                f"{source}: its network turns a mosaic into color; allowed: task 'demosaic'"
            )
        if self.demosaics and network.out_chans != 3:
            raise InputError(f"{source}: its network makes gray images and cannot demosaic")
        if self.task is not None and self.task.scale != self.upscale:
            raise InputError(
                f"{source}: its network enlarges {self.upscale} times, task {self.task.name!r} "
                f"{self.task.scale} times"
            )

    def _plan(self, pixels: Pixels, bayer: str) -> _Work:
        multiple = self.network.size_multiple
        if not self.demosaics:
            run = self._ensembled(self._run_channels)
            return _Work(pixels.read_color, run, pixels.channels, multiple)
        check_mosaic(pixels)
        run = with_colors(self._apply, self.network.in_chans, self.upscale)
        read = mosaic_reader(pixels, bayer)
        # tiles of a mosaic begin where its cells do
        return _Work(read, self._ensembled(run), 3, math.lcm(multiple, 2))

    def _ensembled(self, run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return partial(self_ensemble, run) if self.ensemble else run

    def _paint(
        self, canvas: Canvas, work: _Work, size: tuple[int, int], progress: Progress | None
    ) -> None:
        """Fill the canvas, in smaller tiles where the memory is too small."""
        failure = ""
        for tiling in self._attempts(size):
            try:
                self._paint_tiles(canvas, work, size, tiling or Tiling(max(size), 0), progress)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                # the text alone: the error itself would keep what it was raised in alive
                failure = str(error).partition("\n")[0]
            else:
                return
            canvas.restart()
            self._too_large = count_pixels(tiling, size, self.network.size_multiple)
            devices.empty_cache(self.device)
        raise OutOfMemoryError(
            f"not enough memory on {self.device} to restore {size[1]} x {size[0]} pixels in "
            f"{self.precision} with tile {self._tile}; choose a smaller tile (128), another "
            f"device, or bf16 ({failure})"
        )

    def _paint_tiles(
        self,
        canvas: Canvas,
        work: _Work,
        size: tuple[int, int],
        tiling: Tiling,
        progress: Progress | None,
    ) -> None:
        bands = restored_bands(
            work.run,
            work.read,
            size,
            tiling,
            multiple=work.multiple,
            scale=self.upscale,
            progress=progress,
        )
        for band in bands:
            if not torch.isfinite(band).all():
                raise NonFiniteError(
                    f"the network's output is not finite in {self.precision}; did the training of "
                    "these weights finish?"
                )
            canvas.add(band)

    def _attempts(self, size: tuple[int, int]) -> list[Tiling | None]:
        """Ways to cut an image, the best first; see `tile_policy`."""
        least = MOSAIC_OVERLAP if self.demosaics else 0
        multiple = self.network.size_multiple
        ways = list(attempts(size, self._tile, self._overlap, multiple=multiple, least=least))
        if self._tile != "auto":
            return ways
        # what was too much for an earlier image is not tried again, unless nothing is left
        fitting = [way for way in ways if count_pixels(way, size, multiple) < self._too_large]
        return fitting or ways[-1:]

    def _run_channels(self, color: Tensor) -> Tensor:
        """Run a network for gray or RGB on gray or RGB: (1, C, h, w) -> (1, C, s h, s w)."""
        channels = color.shape[1]
        if channels == self.network.in_chans:
            return self._apply(color)
        if channels == 1:
            return self._apply(color.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
        return torch.cat([self._apply(channel) for channel in color.split(1, dim=1)], dim=1)

    def _apply(self, x: Tensor) -> Tensor:
        reduced = self.precision == "bf16"
        multiple = self.network.size_multiple
        # windows lie as they would without it
        margin = -(-self._margin // multiple) * multiple
        seen = pad_around(x, margin) if margin else x
        with torch.autocast(self.device.type, torch.bfloat16) if reduced else nullcontext():
            restored: Tensor = self.network(seen.to(self.device))
        top, rows, columns = (self.upscale * n for n in (margin, *x.shape[-2:]))
        return restored[..., top : top + rows, top : top + columns].float()

    @staticmethod
    def _colors(
        image: npt.NDArray[Any], restored: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Colors of both images, (H, W, 1 or 3), without alpha; views."""
        before, after = split(image), split(restored)
        return before.layers[..., : before.channels], after.layers[..., : before.channels]


def restore(
    image: npt.NDArray[Any],
    weights: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    k: int | None = None,
    backend: str = "auto",
    tile: int | str | None = "auto",
    overlap: int | None = None,
    *,
    task: str | None = None,
    ensemble: bool = False,
    margin: int | None = None,
    sigma: float | None = None,
    quality: float | None = None,
    bayer: str | None = None,
    strength: float | None = None,
) -> npt.NDArray[Any]:
    """Restore one image; for several, keep a `Restorer`, which loads the weights once.

    Args and errors are those of `Restorer` and of `Restorer.restore`.
    """
    restorer = Restorer(
        weights, device, precision, k, backend, tile, overlap,
        task=task, ensemble=ensemble, margin=margin,
    )  # fmt: skip
    return restorer.restore(image, sigma=sigma, quality=quality, bayer=bayer, strength=strength)


def _file_for(task: str | None) -> Path:
    if task is None:
        raise InputError("name a task or a weights file")
    return find(task).path


def _ticker(progress: Progress | None, share: float) -> Callable[[], None]:
    """Function for work outside the network to call, so that whoever watches can end it."""
    return (lambda: None) if progress is None else partial(progress, share)


def _whole_number(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputTypeError(f"{name}={value!r}: {type(value).__name__}; a whole number is needed")
    return int(value)
