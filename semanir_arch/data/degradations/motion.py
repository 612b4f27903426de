"""The blur of a moving camera: a random trajectory drawn as a kernel.

After G. Boracchi, A. Foi, Modeling the Performance of Image Restoration from Motion Blur, IEEE
Transactions on Image Processing 21(8), 2012: a point with inertia, pushed about at random, pulled
back to where it started, and jerked now and then.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur import blur
from semanir_arch.data.degradations.damage import DrawnDamage, examples, limits_of
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.data.degradations.filtering import check_limits, splat
from semanir_arch.data.randomness import uniform

SETTINGS: Declared = {
    "length": Number([5, 30], 0, 64, "length of the trajectory in pixels"),
    "shake": Number([0, 0.6], 0, 1, "from 0 (straight) to 1 (trembling)"),
}
"""Parameters of `motion_kernel`, in its units."""

_LIMITS = limits_of(SETTINGS)

_STEPS = 256
# per step, in units of the speed: how hard the point is pushed and pulled at most
_PUSH, _PULL = 0.12, 0.0025
_JERKS = 3.0


def motion_kernel(length: float, shake: float, generator: torch.Generator) -> NDArray[np.float32]:
    """Draw the trace of a point seen by a moving camera.

    Args:
        length: Length of the trajectory in pixels, 0 to 64; 0 does not blur.
        shake: Amount of shake: 0 for a straight line at constant speed, 1 for a hand that trembles
            and jerks.
        generator: Source of randomness.

    Returns:
        Square with an odd side, sum 1, centred on the trace; at most `length` + 5 pixels wide.

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, length=length, shake=shake)
    trace = trajectory(shake, generator)
    path = np.abs(np.diff(trace)).sum()
    trace = trace * (length / path)
    # the middle of its extent, so that the kernel is small and the image does not move
    center = complex(_middle(trace.real), _middle(trace.imag))
    return splat((trace - center).imag, (trace - center).real)


def trajectory(shake: float, generator: torch.Generator) -> NDArray[np.complex128]:
    """Draw positions in the complex plane at equal intervals of time, in any unit.

    Args:
        shake: Amount of shake, as for `motion_kernel`.
        generator: Source of randomness.

    Returns:
        (257,), beginning at 0.
    """
    pushes = torch.randn(_STEPS, 2, dtype=torch.float64, generator=generator).numpy()
    jerks = torch.rand(_STEPS, dtype=torch.float64, generator=generator).numpy()
    velocity = np.exp(2j * np.pi * uniform(0, 1, generator))
    position, positions = 0j, np.zeros(_STEPS + 1, complex)
    for step in range(_STEPS):
        push = complex(pushes[step, 0], pushes[step, 1])
        if jerks[step] < shake * _JERKS / _STEPS:
            velocity = -velocity * np.exp(1j * push)
        velocity += shake * (_PUSH * push - _PULL * position)
        velocity /= max(abs(velocity), 1e-9)
        position += velocity
        positions[step + 1] = position
    return positions


def _middle(values: NDArray[np.float64]) -> float:
    return (values.min() + values.max()) / 2


DAMAGE = DrawnDamage(
    name="motion",
    help="blur of a shaken camera",
    settings=SETTINGS,
    apply=lambda image, values, generator: blur(
        image, motion_kernel(generator=generator, **values)
    ),
    # what the largest kernel reaches over
    reach=lambda settings: ceil(max(settings["length"].values) / 2) + 2,
    examples=examples("length", 5, 15, 30),
)
