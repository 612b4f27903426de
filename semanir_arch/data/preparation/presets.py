"""The tilings of published training sets, with the file names of their authors' scripts.

GoPro, DFWB, SIDD and DPDD follow Restormer's data preparation, DF2K and DIV2K BasicSR's sub-images;
both were written from descriptions. Folders are those of `prepare.py`, below the data root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semanir_arch.data.preparation.patches import Group, PatchGrid, View
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.utils.errors import InputError, MissingFileError


@dataclass(frozen=True)
class Role:
    """One image of every scene.

    Args:
        source: Folder of the images.
        output: Folder of the patches.
        scale: Pixels of the first role's image that one of its pixels stands for.
        template: Name of the image without suffix, where {} is that of the first role's.
        is_optional: Whether it is left out where its folder does not exist.
    """

    source: str
    output: str
    scale: int = 1
    template: str = "{}"
    is_optional: bool = False


@dataclass(frozen=True)
class Corpus:
    """Images that lie together.

    Args:
        roles: The first decides about names and about patches that are left out.
        prefix: Prefix of the patches' names.
    """

    roles: tuple[Role, ...]
    prefix: str = ""


@dataclass(frozen=True)
class Preset:
    """A published training set.

    Args:
        help: Effect of the preset, in a few words.
        tiling: Grid of patches.
        corpora: Image sets to cut.
        numbering: Suffix of patch numbers, as for `Group`.
    """

    help: str
    tiling: PatchGrid
    corpora: tuple[Corpus, ...]
    numbering: str = "-{number}"

    @property
    def outputs(self) -> list[str]:
        """Folders of patches; the record lies in the first."""
        roles = [role for corpus in self.corpora for role in corpus.roles]
        return list(dict.fromkeys(role.output for role in roles))


def _pairs(split: str, name: str, out: str = "") -> Corpus:
    return Corpus(
        tuple(
            Role(f"{split}/{name}/{role}", f"{out or split}/{name}/{role}_crops")
            for role in ("target", "input")
        )
    )


def _dual_pixel(split: str) -> Corpus:
    return Corpus(
        tuple(
            Role(f"{split}/DPDD/{role}", f"{split}/DPDD/{role}_crops")
            for role in ("target", "inputC", "inputL", "inputR")
        )
    )


def _sub_images(name: str, high: str, low: str) -> Corpus:
    roles = [Role(high, f"train/{name}/HR_sub")]
    for scale in (2, 3, 4):
        output = f"train/{name}/LR_bicubic_sub/X{scale}"
        roles.append(Role(f"{low}/X{scale}", output, scale, f"{{}}x{scale}", is_optional=True))
    return Corpus(tuple(roles))


_CENTRE = PatchGrid(256, 256, centre=True)

PRESETS: dict[str, Preset] = {
    "gopro": Preset(
        "GoPro for training, 512/256", PatchGrid(512, 256), (_pairs("train", "GoPro"),)
    ),
    "gopro_val": Preset(
        "GoPro for validation, centres of its test images",
        _CENTRE,
        (_pairs("test", "GoPro", out="val"),),
        numbering="",
    ),
    "dfwb": Preset(
        "DIV2K, Flickr2K, WED and BSD400 for denoising and JPEG; small images stay whole",
        PatchGrid(512, 416, max_whole=800),
        tuple(
            Corpus((Role(folder, "train/DFWB"),), prefix=f"{name}-")
            for name, folder in (
                ("DIV2K", "train/DIV2K/train_HR"),
                ("Flickr2K", "train/Flickr2K/HR"),
                ("WaterlooED", "train/WED"),
                ("BSD400", "train/BSD400"),
            )
        ),
    ),
    "sidd": Preset("SIDD for training", PatchGrid(512, 384), (_pairs("train", "SIDD"),)),
    "dpdd": Preset(
        "DPDD for training, without the 30 % least sharp patches",
        PatchGrid(512, 204, drop_blurred=0.3),
        (_dual_pixel("train"),),
    ),
    "dpdd_val": Preset(
        "DPDD for validation, centres", _CENTRE, (_dual_pixel("val"),), numbering=""
    ),
    "df2k": Preset(
        "DIV2K and Flickr2K sub-images for super-resolution, high and low resolution",
        PatchGrid(480, 240),
        (
            _sub_images("DF2K", "train/DIV2K/train_HR", "train/DIV2K/train_LR_bicubic"),
            _sub_images("DF2K", "train/Flickr2K/HR", "train/Flickr2K/LR_bicubic"),
        ),
        numbering="_s{number:03d}",
    ),
    "div2k": Preset(
        "DIV2K sub-images alone, as tables of lightweight super-resolution train",
        PatchGrid(480, 240),
        (_sub_images("DIV2K", "train/DIV2K/train_HR", "train/DIV2K/train_LR_bicubic"),),
        numbering="_s{number:03d}",
    ),
}
"""Published training sets by name."""


def preset_groups(
    preset: Preset, root: Path, *, is_lmdb: bool, report: Callable[[str], None]
) -> list[Group]:
    """The groups of a preset.

    Args:
        preset: The training set.
        root: The data root.
        is_lmdb: Whether outputs are LMDBs.
        report: Function that is told which optional folders are absent.

    Raises:
        FileNotFoundError: A folder does not exist.
        ValueError: A folder is empty, or an image has no partner.
    """
    groups = []
    for corpus in preset.corpora:
        present = []
        for role in corpus.roles:
            if role.is_optional and not (root / role.source).is_dir():
                report(f"{root / role.source}: not there, left out")
            else:
                present.append((role, _by_stem(root / role.source)))
        for stem in _shared_stems(root, present):
            views = tuple(
                View(
                    files[role.template.format(stem)],
                    root / (f"{role.output}.lmdb" if is_lmdb else role.output),
                    corpus.prefix + stem,
                    role.scale,
                )
                for role, files in present
            )
            name = f"{corpus.roles[0].source}/{stem}"
            groups.append(Group(name, views, preset.tiling, preset.numbering, first=1))
    return groups


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; datasets_prep/prepare.py makes it")
    files: dict[str, Path] = {}
    for path in scan_images(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in files:
            raise InputError(f"{files[stem]} and {path} differ only in their suffix")
        files[stem] = path
    return files


def _shared_stems(root: Path, present: Sequence[tuple[Role, Mapping[str, Path]]]) -> list[str]:
    first = present[0][1]
    for role, files in present[1:]:
        expected = {role.template.format(stem) for stem in first}
        lonely = sorted(expected.symmetric_difference(files))
        if lonely:
            raise InputError(
                f"{root / role.source}: {len(lonely)} images do not pair with "
                f"{root / present[0][0].source}, such as {lonely[0]}"
            )
    return list(first)
