"""Scores of pictures that nobody has a better version of, through the package `pyiqa`.

MUSIQ (J. Ke et al., arXiv 2108.05997), CLIP-IQA (J. Wang et al., arXiv 2207.12396) and all others
that pyiqa lists as having no reference. It fetches their weights once. NIQE needs none and is
`models/naturalness.py`.

Such scores praise sharp results, whether or not they are true. Look at the pictures too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["NO_REFERENCE", "semanir_iqa"]

NO_REFERENCE = frozenset({"semanir_iqa", "semanir_niqe", "calculate_niqe"})
"""Metrics, ours and BasicSR's, that look at the restored image alone."""


def semanir_iqa(
    img: NDArray[Any],
    img2: NDArray[Any] | None = None,
    crop_border: int = 0,
    model: str = "musiq",
) -> float:
    """Quality of one picture as a network that was trained on people's opinions sees it.

    Args:
        img: (H, W, 3) BGR or (H, W), (H, W, 1) gray; uint8.
        img2: The target, which is not looked at.
        crop_border: Pixels to leave out at each edge.
        model: As pyiqa calls it: "musiq" (0 to 100), "clipiqa" (0 to 1), ...; for most of them
            higher is better, and `better: lower` must be said for the others.

    Raises:
        ModuleNotFoundError: The package is not installed.
        FileNotFoundError: The weights are not here and cannot be fetched.
        TypeError: The image is not uint8.
        ValueError: There is no such model, it needs a target, or the border leaves nothing.
    """
    del img2
    if img.dtype != np.uint8:
        raise TypeError(f"images must be uint8, received {img.dtype}")
    height, width = (length - 2 * crop_border for length in img.shape[:2])
    if crop_border < 0 or min(height, width) < 1:
        raise ValueError(f"crop_border={crop_border} leaves nothing of {img.shape[:2]}")
    pixels = img.reshape(*img.shape[:2], -1)
    pixels = pixels[crop_border : crop_border + height, crop_border : crop_border + width]
    rgb = np.broadcast_to(pixels, (height, width, 3))[..., ::-1].astype(np.float32) / 255
    image = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    with torch.no_grad():
        return float(_scorer(model)(image))


@lru_cache(maxsize=4)
def _scorer(model: str) -> Any:
    try:
        import pyiqa
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{model} needs the package pyiqa, which is not part of this one: pip install pyiqa"
        ) from error
    known = pyiqa.list_models(metric_mode="NR")
    if model not in known:
        raise ValueError(f"model={model!r} is none of pyiqa's without a target: {', '.join(known)}")
    try:
        return pyiqa.create_metric(model, device="cpu")
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            f"the weights of {model} are not here and cannot be fetched ({error}); where there is "
            f"a network, python -c \"import pyiqa; pyiqa.create_metric('{model}')\" fetches them"
        ) from error
