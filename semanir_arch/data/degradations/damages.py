"""All damages by name."""

from __future__ import annotations

from semanir_arch.data.degradations.bayer import INTERPOLATED, MOSAIC
from semanir_arch.data.degradations.bicubic import DAMAGE as BICUBIC
from semanir_arch.data.degradations.camera import DAMAGE as CAMERA
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.defocus import DAMAGE as DEFOCUS
from semanir_arch.data.degradations.exposure import DAMAGE as PHOTOGRAPHIC_BLUR
from semanir_arch.data.degradations.jpeg import DAMAGE as JPEG
from semanir_arch.data.degradations.low_light import DAMAGE as LOW_LIGHT
from semanir_arch.data.degradations.motion import DAMAGE as MOTION
from semanir_arch.data.degradations.noise import DAMAGE as NOISE
from semanir_arch.data.degradations.old_photograph import DAMAGE as OLD_PHOTOGRAPH
from semanir_arch.data.degradations.rain import DAMAGE as RAIN
from semanir_arch.data.degradations.raindrops import DAMAGE as RAINDROPS
from semanir_arch.data.degradations.second_order import DAMAGE as SECOND_ORDER
from semanir_arch.data.degradations.shuffled import DAMAGE as SHUFFLED
from semanir_arch.data.degradations.snow import DAMAGE as SNOW

__all__ = ["DAMAGES", "find_damage"]

DAMAGES: dict[str, Damage] = {
    damage.name: damage
    for damage in (
        NOISE,
        BICUBIC,
        JPEG,
        MOSAIC,
        INTERPOLATED,
        MOTION,
        DEFOCUS,
        RAIN,
        SNOW,
        RAINDROPS,
        LOW_LIGHT,
        CAMERA,
        SECOND_ORDER,
        SHUFFLED,
        PHOTOGRAPHIC_BLUR,
        OLD_PHOTOGRAPH,
    )
}
"""Degradations in the order in which lists show them."""

_WORDS = {word: damage for damage in DAMAGES.values() for word in (damage.name, *damage.aliases)}


def find_damage(word: str) -> Damage | None:
    """The damage of a name or a former name; None for other words."""
    return _WORDS.get(word)
