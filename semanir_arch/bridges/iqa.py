"""The hundred measures of pyiqa (DISTS, MUSIQ, CLIP-IQA, ...) as one metric for option files.

    metrics:
      musiq: {type: semanir_pyiqa, metric: musiq, better: higher}

pyiqa is never required, and never taken for PSNR, SSIM and LPIPS of a protocol: its defaults for
color and rounding are others than those of papers.
"""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.utils import devices
from semanir_arch.utils.errors import InputError, InputTypeError, MissingPackageError
from semanir_arch.utils.values import Bounds

__all__ = ["semanir_pyiqa"]

Border = Annotated[int, Bounds(0, 65536)]

_INSTALL = "pip install --no-deps pyiqa timm einops (alone it would bring a second OpenCV)"


def semanir_pyiqa(
    img: NDArray[Any],
    img2: NDArray[Any] | None = None,
    metric: str = "dists",
    crop_border: Border = 0,
) -> float:
    """One of pyiqa's measures; whether higher is better is for the option file to say.

    Args:
        img: (H, W, 3) BGR or (H, W), (H, W, 1) gray; uint8.
        img2: The target, of the same shape; None for measures without reference.
        metric: Name of the measure, one of `pyiqa.list_models()`.
        crop_border: Pixels to leave out at each edge.

    Raises:
        ModuleNotFoundError: pyiqa is not installed.
        TypeError: An image is not uint8.
        ValueError: There is no such measure, it needs the target that is missing, or the shapes
            differ.
    """
    measure = _measure(metric)
    images = [_to_tensor(img, crop_border)]
    if measure.metric_mode == "FR":
        if img2 is None:
            raise InputError(f"metric={metric!r} compares with a target, and there is none")
        if img.shape != img2.shape:
            raise InputError(f"shapes differ: {img.shape} and {img2.shape}")
        images.append(_to_tensor(img2, crop_border))
    with torch.no_grad():
        return float(measure(*images))


@lru_cache(maxsize=4)
def _measure(name: str) -> Any:
    try:
        import pyiqa
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"metric={name!r} needs pyiqa: {_INSTALL}") from error
    known = list(pyiqa.list_models())
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(f"metric={name!r} is not one of pyiqa's {len(known)} metrics{hint}")
    device = devices.accelerator()
    if device in (None, "mps"):
        # Apple's lacks float64, which measures of this kind use
        device = "cpu"
    return pyiqa.create_metric(name, device=torch.device(device), as_loss=False)


def _to_tensor(image: NDArray[Any], crop_border: int) -> Tensor:
    """RGB in [0, 1], shape (1, 3, H, W)."""
    if image.dtype != np.uint8:
        raise InputTypeError(f"images must be uint8, received {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise InputError(f"images must be (H, W), (H, W, 1) or (H, W, 3), received {image.shape}")
    height, width = (length - 2 * crop_border for length in image.shape[:2])
    if crop_border < 0 or min(height, width) < 1:
        raise InputError(f"crop_border={crop_border} leaves nothing of {image.shape[:2]} pixels")
    inside = image[crop_border : crop_border + height, crop_border : crop_border + width, ::-1]
    rgb = torch.from_numpy(inside.copy()).permute(2, 0, 1)[None]
    return rgb.expand(-1, 3, -1, -1).float() / 255
