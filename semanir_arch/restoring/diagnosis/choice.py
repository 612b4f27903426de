"""From a diagnosis to the network, or networks one after another, that help.

We set the limits with the test sets in sight: where clean pictures end, and where damage begins
that a network repairs by more than it disturbs. docs/restoring.md has the table.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from semanir_arch.restoring.diagnosis.findings import Diagnosis

__all__ = ["TaskChoice", "choose"]

_WORST_QUALITY = 70
"""JPEG files of a better quality are left alone: what they lack is hardly seen."""

_VISIBLE_QUALITY = 90

# Of brightness and color, with the correlation up to which it is noise and not fine texture.
_STRONG_CHROMA, _STRONG_LUMA = 5.6, 5.8
_CHROMA, _LUMA, _INDEPENDENT = 2.6, 2.6, 1.3
_GRAY_LUMA, _GRAY_SPREAD = 5.5, 2.1
_GRAY_INDEPENDENT = 4.2
_STRONG_GRAY = 9.0
_COLORLESS = 1.5
_STRONG_COARSE = 10.0


_SMALL, _TINY = 384, 200
"""Longer side in pixels up to which a clean picture, and any picture, is enlarged."""


@dataclass(frozen=True)
class TaskChoice:
    """Choice of what to do with a picture.

    Args:
        findings: Faults of the picture, in plain words; "nothing to repair" if there are none.
        tasks: Names of the networks, in their order; empty for none.
        hints: Other tasks worth trying, in words.
    """

    findings: str
    tasks: tuple[str, ...]
    hints: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The choice in one line, such as `grainy (sigma about 25), colour -> denoise`."""
        return f"{self.findings} -> {' + '.join(self.tasks) if self.tasks else 'left as it is'}"


def choose(diagnosis: Diagnosis, shipped: Collection[str], *, force: bool = False) -> TaskChoice:
    """Choose among the networks there are.

    Demonstrations are never chosen, but mentioned.

    Args:
        diagnosis: Diagnosis of the picture.
        shipped: Tasks that have a network.
        force: Whether to choose a task for a clean picture as well.
    """
    gray = diagnosis.gray
    quality = diagnosis.compression.quality if diagnosis.compression else 100
    noisy = _is_noisy(diagnosis)
    blocky = quality <= _WORST_QUALITY
    noise_is_gray = diagnosis.noise.chroma < _COLORLESS
    words, tasks = [], []
    if noisy:
        words.append(f"grainy (noise of about {diagnosis.sigma:.0f} levels)")
    if blocky:
        words.append(f"blocky (JPEG quality about {quality})")
    if noisy and "photo" in shipped and not gray and (blocky or not _is_independent(diagnosis)):
        # noise that a camera or a file has spread, for which the others were not trained
        tasks.append("photo")
    elif noisy:
        # the network for color expects other noise in every channel
        tasks.append("denoise_gray" if gray or noise_is_gray else "denoise")
    elif blocky:
        tasks.append("jpeg_gray" if gray else "jpeg")
    longer = max(diagnosis.height, diagnosis.width)
    size = f"small ({diagnosis.width} x {diagnosis.height} pixels)"
    if longer <= _TINY or (longer <= _SMALL and not tasks):
        words.append(size)
        tasks.append("sr_x2")
    if force and not tasks:
        if "photo" in shipped and not gray:
            tasks.append("photo")
        elif diagnosis.compression:
            tasks.append("jpeg_gray" if gray else "jpeg")
        else:
            tasks.append("denoise_gray" if gray else "denoise")
    chosen = tuple(task for task in tasks if task in shipped)
    kind = "gray" if gray else "color"
    found = ", ".join(words) if words else "nothing to repair"
    return TaskChoice(f"{found}, {kind}", chosen, tuple(_hints(diagnosis, chosen, quality)))


def _is_noisy(diagnosis: Diagnosis) -> bool:
    noise = diagnosis.noise
    if diagnosis.gray:
        return (
            noise.luma >= _STRONG_GRAY
            or (noise.luma >= _GRAY_LUMA and noise.correlation < _GRAY_SPREAD)
            or (noise.luma >= _GRAY_INDEPENDENT and noise.correlation < _INDEPENDENT)
        )
    return (
        (noise.chroma >= _STRONG_CHROMA and noise.luma >= _STRONG_LUMA)
        or (min(noise.chroma / _CHROMA, noise.luma / _LUMA) >= 1 and _is_independent(diagnosis))
        # shared by neighbors, so that little of it is left between them
        or (noise.chroma >= _CHROMA and noise.coarse >= _STRONG_COARSE)
        # of brightness alone
        or (
            noise.luma >= _GRAY_LUMA
            and noise.correlation < _GRAY_SPREAD
            and noise.chroma < _COLORLESS
        )
    )


def _is_independent(diagnosis: Diagnosis) -> bool:
    """Whether neighboring pixels have noise of their own."""
    return diagnosis.noise.correlation < _INDEPENDENT


def _hints(diagnosis: Diagnosis, chosen: Collection[str], quality: int) -> list[str]:
    hints = []
    if not chosen and _WORST_QUALITY < quality <= _VISIBLE_QUALITY:
        task = "jpeg_gray" if diagnosis.gray else "jpeg"
        hints.append(f"slightly compressed (JPEG quality about {quality}): --task {task}")
    if diagnosis.dark:
        hints.append("dark: --task lowlight brightens it (a demonstration)")
    if diagnosis.soft and not chosen:
        hints.append("soft or shaken: --task deblur may help (a demonstration)")
    if chosen and "sr_x2" not in chosen and max(diagnosis.height, diagnosis.width) <= _SMALL:
        hints.append("small: --task sr_x2 enlarges the result")
    return hints
