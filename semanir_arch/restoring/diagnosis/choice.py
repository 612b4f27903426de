"""From a diagnosis to the network, or networks one after another, that help.

What is noise, and of which kind, is decided by limits that were set on photographs of the training
sets; see `limits`. docs/restoring.md has the table.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from semanir_arch.restoring.diagnosis.findings import Diagnosis
from semanir_arch.restoring.diagnosis.limits import NEARLY_LOSSLESS, is_like, limit

__all__ = ["TaskChoice", "choose"]

_VISIBLE_QUALITY = 95
"""JPEG files between the worst quality that is repaired and this one get a hint."""

_GRAIN_QUALITY = 60
"""Worst quality of gray JPEG files in which grain may matter more than what compression lost."""

_SMALL, _TINY = 384, 200
"""Longer side in pixels up to which a clean picture, and any picture, is enlarged."""


@dataclass(frozen=True)
class TaskChoice:
    """Choice of what to do with a picture.

    Args:
        findings: Faults of the picture, in plain words; "nothing to repair" if there are none.
        tasks: Names of the networks, in their order; empty for none.
        hints: Other tasks worth trying, in words.
        trial: Networks to try before, whose result is kept only if it takes away grain.
    """

    findings: str
    tasks: tuple[str, ...]
    hints: tuple[str, ...] = ()
    trial: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The choice in one line, such as `grainy (sigma about 25), color -> denoise`."""
        done = " + ".join(self.tasks) if self.tasks else "left as it is"
        if self.trial:
            done = f"{' + '.join(self.trial)} if it finds grain, else {done}"
        return f"{self.findings} -> {done}"


def choose(
    diagnosis: Diagnosis, shipped: Collection[str], *, force: bool = False, judged: bool = False
) -> TaskChoice:
    """Choose among the networks there are.

    Demonstrations are never chosen, but mentioned.

    Args:
        diagnosis: Diagnosis of the picture.
        shipped: Tasks that have a network.
        force: Whether to choose a task for a clean picture as well.
        judged: Whether results are judged, as `Chooser` does, so that networks may be tried.
    """
    gray = diagnosis.gray
    quality = diagnosis.compression.quality if diagnosis.compression else 100
    blocky = quality <= limit("worst_quality")
    noise, task = _noise(diagnosis, quality)
    longer = max(diagnosis.height, diagnosis.width)
    if task == "photo" and longer <= _SMALL and quality >= NEARLY_LOSSLESS:
        # in reduced pictures, texture is as fine as spread noise: a hint says so
        noise = ""
    words, tasks = [], []
    if noise:
        words.append(f"grainy ({noise})")
        # noise that a camera or a file has spread, for which the others were not trained
        tasks.append(task if task in shipped or task != "photo" else "denoise")
    if blocky:
        words.append(f"blocky (JPEG quality about {quality})")
    if blocky and not noise:
        tasks.append("jpeg_gray" if gray else "jpeg")
    size = f"small ({diagnosis.width} x {diagnosis.height} pixels)"
    if longer <= _SMALL and tasks and not gray and "photo_x2" in shipped:
        # one network for both: it was trained on small pictures with all that is wrong with them
        words.append(size)
        tasks = ["photo_x2"]
    elif longer <= _TINY or (longer <= _SMALL and not tasks):
        words.append(size)
        tasks.append("sr_x2")
    if force and not tasks:
        if "photo" in shipped:
            tasks.append("photo")
        elif diagnosis.compression:
            tasks.append("jpeg_gray" if gray else "jpeg")
        else:
            tasks.append("denoise_gray" if gray else "denoise")
    chosen = tuple(task for task in tasks if task in shipped)
    kind = "gray" if gray else "color"
    found = ", ".join(words) if words else "nothing to repair"
    # in brightness alone, spread grain and fine texture measure alike; a network tells them apart
    doubtful = gray and not noise and longer > _SMALL and quality >= _GRAIN_QUALITY
    trial = ("photo",) if judged and doubtful and not force and "photo" in shipped else ()
    hints = _hints(diagnosis, chosen, quality)
    return TaskChoice(f"{found}, {kind}", chosen, tuple(hints), trial)


def _noise(diagnosis: Diagnosis, quality: int) -> tuple[str, str]:
    """What the noise is, in words, and the network that was trained on it; nothing for none."""
    noise, in_file = diagnosis.noise, quality < NEARLY_LOSSLESS
    level = f"noise of about {diagnosis.sigma:.0f} levels"
    spread = "noise that a camera or a file has spread"
    if noise.unevenness > limit("uneven"):
        return "", ""
    is_brightness = is_like("gray", noise)
    if diagnosis.gray:
        return (level, "denoise_gray") if is_brightness else ("", "")
    if not is_like("color_file" if in_file else "color", noise):
        return "", ""
    if in_file:
        return spread, "photo"
    if is_brightness and noise.color < limit("shared"):
        # the network for color expects other noise in every channel
        return f"{level}, without color", "denoise_gray"
    return (level, "denoise") if is_like("white", noise) else (spread, "photo")


def _hints(diagnosis: Diagnosis, chosen: Collection[str], quality: int) -> list[str]:
    hints = []
    if not chosen and limit("worst_quality") < quality <= _VISIBLE_QUALITY:
        task = "jpeg_gray" if diagnosis.gray else "jpeg"
        hints.append(f"slightly compressed (JPEG quality about {quality}): --task {task}")
    longer, enlarging = max(diagnosis.height, diagnosis.width), {"sr_x2", "photo_x2"}
    if longer <= _SMALL and "sr_x2" in chosen and _noise(diagnosis, quality)[1] == "photo":
        hints.append("perhaps grainy: --task photo, or photo_x2, cleans it")
    if diagnosis.dark:
        hints.append("dark: --task lowlight brightens it (a demonstration)")
    if diagnosis.soft and not chosen:
        hints.append("soft or shaken: --task deblur may help (a demonstration)")
    if chosen and longer <= _SMALL and not enlarging & set(chosen):
        hints.append("small: --task sr_x2 enlarges the result")
    return hints
