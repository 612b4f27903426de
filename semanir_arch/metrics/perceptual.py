"""Perceptual distance of deep features, through the package `lpips`.

R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, The Unreasonable Effectiveness of Deep
Features as a Perceptual Metric, CVPR 2018. The package brings its own small weights; the network
below them is torchvision's, whose weights torchvision fetches once.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from semanir_arch.metrics.preparation import prepare_pair
from semanir_arch.utils.errors import InputError, MissingFileError, MissingPackageError

SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}
"""Networks, and how many pixels their images need in both directions."""


def lpips(
    x: Tensor,
    y: Tensor,
    *,
    crop_border: int = 0,
    net: str = "alex",
    data_range: float | None = None,
) -> Tensor:
    """LPIPS of each image, version 0.1, as tables of defocus deblurring print it.

    Args:
        x: (C, H, W) or (B, C, H, W), RGB, or gray, which is repeated; range [0, `data_range`].
        y: The same shape; the order of the two does not matter.
        crop_border: Pixels to leave out at each edge.
        net: 'alex' (papers), 'vgg' or 'squeeze'.
        data_range: Value of white; None: by the type, as in `psnr`.

    Returns:
        (B,) float64, 0 for identical images; lower is better. One value for (C, H, W).

    Raises:
        ModuleNotFoundError: The package is not installed.
        FileNotFoundError: The weights are not here and cannot be fetched.
        ValueError: The network is unknown, the images are too small for it, or see `prepare_pair`.
    """
    if net not in SMALLEST:
        raise InputError(f"net must be one of {', '.join(SMALLEST)}, received {net!r}")
    x, y, white = prepare_pair(x, y, crop_border, "rgb", data_range)
    if min(x.shape[-2:]) < SMALLEST[net]:
        raise InputError(
            f"LPIPS with {net!r} needs at least {SMALLEST[net]} x {SMALLEST[net]} pixels inside "
            f"the border, received {x.shape[-2]} x {x.shape[-1]}"
        )
    first, second = ((image.float() / white).expand(-1, 3, -1, -1) for image in (x, y))
    with torch.no_grad():
        distance: Tensor = _network(net, str(x.device))(first, second, normalize=True)
    return distance.flatten().double()


@lru_cache(maxsize=2)
def _network(net: str, device: str) -> Any:
    try:
        from lpips import LPIPS
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "LPIPS needs the package lpips: pip install 'semanir-arch[metrics]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # lpips asks torchvision for weights in an old-fashioned way
            warnings.simplefilter("ignore", UserWarning)
            network = LPIPS(net=net, verbose=False)
    except (OSError, RuntimeError) as error:
        raise MissingFileError(
            f"LPIPS needs torchvision's weights of {net!r}, which cannot be downloaded ({error}); "
            "on a computer with internet access, "
            f"python -c \"import lpips; lpips.LPIPS(net='{net}')\" "
            f"writes them to {torch.hub.get_dir()}/checkpoints"
        ) from error
    return network.to(device)
