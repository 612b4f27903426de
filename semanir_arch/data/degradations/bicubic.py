"""Low resolution, as MATLAB makes it: the two ways in which test sets were reduced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.damage import PixelDamage, Pixels, Values, examples
from semanir_arch.data.degradations.declaration import Choice, Declared, Number
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.files.image_io import to_integer
from semanir_arch.utils.options import REQUIRED


def _rounded_once(pixels: NDArray[Any], scale: float) -> NDArray[Any]:
    levels = np.iinfo(pixels.dtype).max
    return to_integer(matlab_resize(pixels / levels, scale), pixels.dtype)


ROUNDINGS: dict[str, Callable[[NDArray[Any], float], NDArray[Any]]] = {
    "each_pass": matlab_resize,
    "once": _rounded_once,
}
"""Ways of reducing stored pixels, from them and a factor below 1."""

SETTINGS: Declared = {
    "scale": Number(REQUIRED, 1, 16, "how many times smaller the result is", whole=True),
    "rounding": Choice(
        "each_pass",
        tuple(ROUNDINGS),
        "each_pass: MATLAB's imresize of stored pixels, as in Set5 and Set14; once: of doubles, as "
        "in DIV2K",
        "published test sets",
    ),
}
"""Parameters of the reduction."""


def _apply(pixels: Pixels, values: Values) -> Pixels:
    scale = int(values["scale"])
    return ROUNDINGS[values["rounding"]](crop_to_multiple(pixels, scale), 1 / scale)


DAMAGE = PixelDamage(
    name="bicubic",
    help="low resolution as MATLAB makes it, of the image cut to a multiple of the scale",
    settings=SETTINGS,
    apply=_apply,
    examples=examples("scale", 2, 3, 4),
    unrecorded=frozenset({"rounding"}),
)
