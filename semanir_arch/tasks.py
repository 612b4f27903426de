"""The one vocabulary: every task, what it is called, and where it is found.

Commands, option folders, protocols, reports, shipped networks and the names of damages take their
words from `TASKS`. What *makes* damage is a damage (`semanir_arch.data.degradations`); what repairs
it is a task. How published tables measure a task is said by each protocol (`Protocol.task`).
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from semanir_arch.utils.errors import InputError, InputTypeError
from semanir_arch.utils.suggestions import nearest

__all__ = ["NETWORK_TASKS", "TASKS", "Task", "find_task", "get_task", "suggest_task"]


@dataclass(frozen=True)
class Task:
    """Task of one kind of network.

    Args:
        name: The word that commands, files and messages use.
        title: Title in one line.
        looks: Sight of a picture that needs it, in plain words.
        folder: Folder below `options` with its option files; empty where there are none yet.
        damages: Names of the damages that it repairs, as `semanir-data degrade --damage` takes
            them.
        channels: Number of channels that the network sees: 1 for gray, 3 for RGB, 6 for both views
            of a dual-pixel sensor.
        scale: Factor by which the result is larger; 0 where `strength` says it.
        strength: Option of the damage that tables list and commands bound ("sigma", "quality",
            "scale"); None where there is no such number.
        levels: Lowest and highest strength that networks are trained for.
        input: Condition that an image must meet so that the package's network helps; empty where
            the package neither ships nor trains one (`options/shipped/NAME.yml`).
        demonstration: Whether that network was trained on synthetic damage only, to show the task
            rather than to compete.
        sweep: Strengths at which that network is scored, as `test.py --sweep` takes them; those of
            papers where there are tables.
        starts_from: Tasks whose network it is first trained from, the best first.
        tags: OpenModelDB's words for it; empty for those that its scale implies.
        aliases: Other spellings that a file or command has accepted; all stay readable.
        words: Everyday words for the damage or the remedy, for which a command suggests the task.
    """

    name: str
    title: str
    looks: str
    folder: str = ""
    damages: tuple[str, ...] = ()
    channels: int = 3
    scale: int = 1
    strength: str | None = None
    levels: tuple[float, float] | None = None
    input: str = ""
    demonstration: bool = False
    sweep: str = ""
    starts_from: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    words: str = ""

    @property
    def has_network(self) -> bool:
        """Whether the package ships a network for it, or has an option file to train one."""
        return bool(self.input)


_NOISE = "Gaussian noise of a standard deviation from 0 to 50 on the 0-255 scale, unknown to it"
_PHOTO = "a small, soft, noisy or compressed photo, or a clean one; what is wrong is unknown to it"
_JPEG = "artifacts of JPEG compression at a quality from 10 to 90, unknown to it"

_ALL = (
    Task(
        name="denoise",
        title="Color denoising",
        looks="grainy, color",
        folder="denoising",
        damages=("noise",),
        strength="sigma",
        levels=(0, 50),
        input=_NOISE,
        sweep="sigma=15,25,50",
        tags=("denoise", "photo"),
        aliases=("denoise_color", "denoising_color"),
        words="noise noisy denoising denoiser grain grainy degrain gaussian speckle",
    ),
    Task(
        name="denoise_gray",
        title="Gray denoising",
        looks="grainy, black and white",
        folder="denoising",
        damages=("noise",),
        channels=1,
        strength="sigma",
        levels=(0, 50),
        input=_NOISE,
        sweep="sigma=15,25,50",
        starts_from=("denoise",),
        tags=("denoise", "photo"),
        aliases=("denoising_gray",),
    ),
    Task(
        name="photo",
        title="Cleaning of real photographs",
        looks="noisy, blotchy or blocky photo of a phone or camera",
        folder="realworld",
        damages=("camera", "second_order", "shuffled"),
        input="a photo as a camera, phone or web page gives it: noise of any kind, JPEG or WebP, "
        "or nothing",
        starts_from=("denoise",),
        words="real phone camera clean restore",
    ),
    Task(
        name="jpeg",
        title="Color JPEG artifact removal",
        looks="blocky, color (JPEG)",
        folder="jpeg",
        damages=("jpeg",),
        strength="quality",
        levels=(10, 90),
        input=_JPEG,
        sweep="quality=10,20,30,40",
        starts_from=("denoise",),
        tags=("jpeg", "restoration", "photo"),
        aliases=("jpeg_color",),
        words="jpg blocky blocks artifact artifacts artefacts compression compressed dejpeg "
        "deblock",
    ),
    Task(
        name="jpeg_gray",
        title="Gray JPEG artifact removal",
        looks="blocky, black and white (JPEG)",
        folder="jpeg",
        damages=("jpeg",),
        channels=1,
        strength="quality",
        levels=(10, 90),
        input=_JPEG,
        sweep="quality=10,20,30,40",
        starts_from=("denoise_gray", "jpeg", "denoise"),
        tags=("jpeg", "restoration", "photo"),
    ),
    Task(
        name="sr_x2",
        title="Enlargement to twice the size",
        looks="too small",
        folder="sr",
        damages=("bicubic",),
        scale=2,
        input="a clean, bicubically reduced image",
        words="superres sr super_resolution superresolution x2",
    ),
    Task(
        name="sr_x3",
        title="Enlargement to three times the size",
        looks="too small",
        folder="sr",
        damages=("bicubic",),
        scale=3,
    ),
    Task(
        name="sr_x4",
        title="Enlargement to four times the size",
        looks="far too small",
        folder="sr",
        damages=("bicubic",),
        scale=4,
        input="a clean, bicubically reduced image",
        starts_from=("sr_x2",),
        words="x4 upscale4x 4x",
    ),
    Task(
        name="sr",
        title="Super-resolution",
        looks="too small",
        folder="sr",
        damages=("bicubic",),
        scale=0,
        strength="scale",
        levels=(2, 4),
    ),
    Task(
        name="photo_x2",
        title="Real photographs at twice the size",
        looks="small and noisy",
        folder="realworld",
        damages=("second_order", "shuffled"),
        scale=2,
        input=_PHOTO,
        sweep="strength=0.5,1",
        starts_from=("sr_x2",),
        words="upscale upscaling upsample upres enlarge enlarging resize small too_small upscale2x",
    ),
    Task(
        name="photo_x4",
        title="Real photographs at four times the size",
        looks="tiny and noisy",
        folder="realworld",
        damages=("second_order", "shuffled"),
        scale=4,
        input=_PHOTO,
        sweep="strength=0.5,1",
        starts_from=("photo_x2", "sr_x4", "sr_x2"),
    ),
    Task(
        name="demosaic",
        title="Demosaicking",
        looks="raw sensor data",
        folder="demosaicking",
        damages=("mosaic", "demosaic"),
        input="a Bayer mosaic without noise, interpolated linearly (data.bayer)",
        starts_from=("denoise",),
        aliases=("demosaicking",),
        words="raw bayer mosaic demosaicing debayer",
    ),
    Task(
        name="deblur",
        title="Motion deblurring",
        looks="shaken",
        folder="deblurring",
        damages=("motion", "photographic_blur"),
        input="camera motion of 3 to 30 pixels with little noise, as PhotographicBlurDataset makes",
        demonstration=True,
        sweep="length=5,10,20",
        starts_from=("denoise",),
        tags=("deblur", "photo"),
        aliases=("deblurring",),
        words="blur blurry unblur shaken shake motion sharpen sharp",
    ),
    Task(
        name="derain",
        title="Rain streak removal",
        looks="streaks of rain",
        folder="deraining",
        damages=("rain",),
        input="bright, thin streaks of one direction, as SyntheticRainDataset makes",
        demonstration=True,
        starts_from=("denoise",),
        aliases=("deraining",),
        words="rain rainy unrain",
    ),
    Task(
        name="weather",
        title="Adverse weather",
        looks="falling snow",
        folder="weather",
        damages=("snow", "raindrops"),
        input="falling flakes, as SyntheticSnowDataset makes; not trained on rain or drops",
        demonstration=True,
        starts_from=("denoise",),
        words="snow snowy desnow desnowing",
    ),
    Task(
        name="lowlight",
        title="Low-light enhancement",
        looks="too dark",
        folder="lowlight",
        damages=("low_light",),
        input="a dark, slightly noisy photo, as SyntheticLowLightDataset makes",
        demonstration=True,
        starts_from=("denoise",),
        aliases=("low_light",),
        words="dark too_dark night brighten brighter light",
    ),
    Task(
        name="real_denoise",
        title="Denoising of real photographs",
        looks="noise of a camera, with a clean picture to learn from",
        folder="realnoise",
        damages=("camera",),
        aliases=("real_denoising", "denoising_real"),
    ),
    Task(
        name="defocus",
        title="Defocus deblurring",
        looks="out of focus",
        folder="defocus",
        damages=("defocus",),
        aliases=("defocus_single",),
    ),
    Task(
        name="defocus_dual",
        title="Defocus deblurring of dual-pixel images",
        looks="out of focus, with both views of a dual-pixel sensor",
        folder="defocus",
        damages=("defocus",),
        channels=6,
    ),
    Task(
        name="old_photo",
        title="Repair of old photographs",
        looks="faded, scratched or printed long ago",
        damages=("old_photograph",),
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _ALL}
"""All tasks by name, in the order in which lists show them."""

NETWORK_TASKS: dict[str, Task] = {name: task for name, task in TASKS.items() if task.has_network}
"""Tasks for which the package ships a network, or has an option file to train one."""

_ALIASES = {alias: task for task in _ALL for alias in (task.name, *task.aliases)}

_AUTO = "automatic best any choose enhance"


def find_task(word: object) -> Task | None:
    """The task that a word of a file names: its name or one of its `aliases`.

    Args:
        word: Word as it was written; anything but text names no task.
    """
    return _ALIASES.get(word) if isinstance(word, str) else None


def get_task(word: str) -> Task:
    """The task that a command is to do with a network of the package.

    An alias is read, and told once on standard error.

    Args:
        word: Word as a user wrote it.

    Raises:
        TypeError: It is no text.
        ValueError: It names no task, or one for which the package has no network; says which there
            are.
    """
    if not isinstance(word, str):
        raise InputTypeError(f"task={word!r}: {type(word).__name__}; the name of a task is needed")
    task = find_task(word)
    if task is not None and task.has_network:
        if word != task.name:
            _tell(word, task.name)
        return task
    close = suggest_task(word, [*NETWORK_TASKS, "auto"])
    hint = f"; did you mean {close!r}?" if close else ""
    if task is None:
        # first what helps: the list is long
        known = f"available: {', '.join(NETWORK_TASKS)}"
        raise InputError(f"task {word!r} is unknown{hint or ';'} {known}")
    files = f"those of options/{task.folder} train one for --weights" if task.folder else "none yet"
    raise InputError(f"task {word!r} has no network in the package; option files: {files}{hint}")


def suggest_task(word: str, known: Collection[str]) -> str | None:
    """The task that a word may mean; None if nothing is near.

    Args:
        word: Word as a person wrote it.
        known: Names of the tasks there are, perhaps with `auto`.
    """
    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    meant = {
        one: task.name
        for task in _ALL
        if task.name in known
        for one in (*task.aliases, *task.words.split())
    }
    if "auto" in known:
        meant |= dict.fromkeys(_AUTO.split(), "auto")
    if plain in meant:
        return meant[plain]
    near = nearest(plain, [*known, *meant])
    return meant.get(near, near) if near else None


@cache
def _tell(word: str, name: str) -> None:
    """Say once in a process what a word is called today."""
    sys.stderr.write(f"note: task {word!r} is now called {name!r}; both are read\n")
