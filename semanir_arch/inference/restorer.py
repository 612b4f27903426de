"""From a weights file to restored images."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork, RestorationNetwork
from semanir_arch.inference.pixels import split
from semanir_arch.ops.backend import ATTENTION_BACKENDS
from semanir_arch.utils.checkpoint import load_checkpoint, load_into
from semanir_arch.utils.tiling import Tiling, restore_tiled

__all__ = ["PRECISIONS", "Restorer", "restore"]

PRECISIONS = ("fp32", "bf16")

OVERLAP = 64
"""Pixels that tiles share unless told otherwise."""

# What "auto" does: networks take a few kilobytes of memory per pixel, so images up to a megapixel
# fit everywhere whole, and larger ones are cut; where even a tile does not fit, into smaller ones.
_WHOLE_PIXELS = 2**20
_TILE, _SMALLEST_TILE = 512, 128


class Restorer:
    """Restores images with the network that a weights file holds.

    Memory is that of one tile, plus the image itself and the result.

    Args:
        weights: A file written by `train.py`, which names its network.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps", ...
        precision: "fp32", or "bf16": faster where the hardware has it, slightly less exact.
        k: Keys kept per token, fewer for speed; None for the number the network was built with.
        backend: Implementation of the attention; see `semanir_arch.ops.backend`.
        tile: Side in pixels of the tiles in which images are restored; None restores them whole;
            "auto" does so up to a megapixel, and takes tiles of 512 pixels beyond, smaller ones
            where the memory is too small for these.
        overlap: Pixels that tiles share; 64, or a quarter of a small tile, if None.

    Raises:
        FileNotFoundError: No such weights file.
        ValueError: The file holds no weights, its network is not known here, or an argument is not
            allowed.
    """

    def __init__(
        self,
        weights: str | Path,
        device: str = "auto",
        precision: str = "fp32",
        k: int | None = None,
        backend: str = "auto",
        tile: int | str | None = "auto",
        overlap: int | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision={precision!r}; allowed: {', '.join(PRECISIONS)}")
        if isinstance(tile, str) and tile != "auto":
            raise ValueError(f"tile={tile!r}; allowed: auto, None, or a number of pixels")
        self._tile, self._overlap = tile, overlap
        if isinstance(tile, int):
            _tiling(tile, overlap)
        self.device = choose_device(device)
        self.precision = precision
        self.network = load_network(weights).to(self.device)
        _set_attention(self.network, k, backend)

    @property
    def upscale(self) -> int:
        """How many times larger, in height and width, a restored image is."""
        return self.network.upscale

    @torch.inference_mode()
    def restore(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Restore one image.

        Args:
            image: Gray (H, W) or (H, W, 1), gray and alpha (H, W, 2), RGB (H, W, 3) or RGBA
                (H, W, 4), of any size; uint8 in 0-255, uint16 in 0-65535, or floating point in
                [0, 1]. A network for colour restores a gray image as three equal channels, of
                which the mean is returned; a network for gray restores the channels of a colour
                image one by one.

        Returns:
            The restored image in the same layout, type and range, `upscale` times larger; alpha is
            kept (resized bicubically where the size changes).

        Raises:
            TypeError: If `image` is no array, or of another type.
            ValueError: If it has another layout, no pixels, or NaN or infinite values.
            MemoryError: If the device has too little memory for the image.
            FloatingPointError: If the network's output is not finite.
        """
        pixels = split(image)
        try:
            restored = self._run_channels(pixels.color)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            height, width = image.shape[:2]
            raise MemoryError(
                f"not enough memory on {self.device} to restore {width} x {height} pixels in "
                f"{self.precision} with tile {self._tile}; choose a smaller tile (128), another "
                "device, or bf16"
            ) from error
        if not torch.isfinite(restored).all():
            raise FloatingPointError(
                f"the network's output is not finite in {self.precision}; are the weights of a "
                "finished training?"
            )
        return pixels.join(restored)

    def _run_channels(self, color: Tensor) -> Tensor:
        """Run a network for gray or RGB on gray or RGB: (1, C, H, W) -> (1, C, sH, sW)."""
        channels = color.shape[1]
        if channels == self.network.in_chans:
            return self._run(color)
        if channels == 1:
            return self._run(color.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
        return torch.cat([self._run(channel) for channel in color.split(1, dim=1)], dim=1)

    def _run(self, x: Tensor) -> Tensor:
        """Run the network on a batch on the CPU, whole or in tiles; the result is there too."""
        tiling = self._first_tiling(x)
        while tiling is not None:
            try:
                return restore_tiled(
                    self._apply,
                    x,
                    tiling,
                    multiple=self.network.size_multiple,
                    scale=self.network.upscale,
                )
            except RuntimeError as error:
                smaller = tiling.tile // 2
                if self._tile != "auto" or smaller < _SMALLEST_TILE or not _is_out_of_memory(error):
                    raise
                tiling = _tiling(smaller, self._overlap)
        return self._apply(x).cpu()

    def _first_tiling(self, x: Tensor) -> Tiling | None:
        """How to cut an image; None for not at all."""
        height, width = x.shape[-2:]
        if isinstance(self._tile, int):
            tiling = _tiling(self._tile, self._overlap)
        elif self._tile == "auto" and height * width > _WHOLE_PIXELS:
            tiling = _tiling(_TILE, self._overlap)
        else:
            return None
        return None if tiling.fits(height, width) else tiling

    def _apply(self, x: Tensor) -> Tensor:
        reduced = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16) if reduced else nullcontext():
            restored: Tensor = self.network(x.to(self.device))
        return restored.float()


def _tiling(tile: int, overlap: int | None) -> Tiling:
    return Tiling(tile, min(OVERLAP, tile // 4) if overlap is None else overlap)


def restore(
    image: npt.NDArray[Any],
    weights: str | Path,
    device: str = "auto",
    precision: str = "fp32",
    k: int | None = None,
    backend: str = "auto",
    tile: int | str | None = "auto",
    overlap: int | None = None,
) -> npt.NDArray[Any]:
    """Restore one image; for several, keep a `Restorer`, which loads the weights once.

    Args and errors are those of `Restorer` and of `Restorer.restore`.
    """
    return Restorer(weights, device, precision, k, backend, tile, overlap).restore(image)


def choose_device(name: str) -> torch.device:
    """Find a device and make sure that it works.

    Args:
        name: "auto" for a GPU where there is one, or a name that torch knows.

    Raises:
        ValueError: The name is unknown, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    # AssertionError: torch was built without this device; NotImplementedError: it holds no data
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={name!r} cannot be used here ({reason}); allowed: auto, cpu, or a GPU that "
            "`python -m semanir_arch.doctor` lists"
        ) from error
    return device


def load_network(weights: str | Path) -> RestorationNetwork:
    """Build the network that a weights file names, with its weights, ready for inference.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no weights, does not name its network, or names one that is not
            known here or does not turn images into images.
    """
    checkpoint = load_checkpoint(weights)
    if not isinstance(checkpoint.network, dict):
        raise ValueError(
            f"{weights}: the file does not say which network it belongs to; those written by "
            "train.py do"
        )
    try:
        network = build_network(checkpoint.network)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{weights}: its network is not known to this version: {error}") from error
    channels = (network.in_chans, network.out_chans)
    if channels not in ((1, 1), (3, 3)):
        raise ValueError(
            f"{weights}: its network turns {channels[0]} channels into {channels[1]}; allowed: "
            "gray into gray (1) or colour into colour (3)"
        )
    load_into(network, checkpoint)
    return network.eval().requires_grad_(False)


def _set_attention(network: RestorationNetwork, k: int | None, backend: str) -> None:
    if backend != "auto" and backend not in ATTENTION_BACKENDS:
        raise ValueError(f"backend={backend!r}; allowed: auto, {', '.join(ATTENTION_BACKENDS)}")
    if isinstance(network, KeySemanticNetwork):
        network.backend = backend
        network.k = network.k if k is None else k
    elif k is not None:
        raise ValueError(f"k={k}: {type(network).__name__} has no key-semantic dictionary")


def _is_out_of_memory(error: RuntimeError) -> bool:
    # only CUDA has an exception of its own
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(
        phrase in str(error).lower() for phrase in ("out of memory", "can't allocate memory")
    )
