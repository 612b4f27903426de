"""Fragments of earlier layouts: what each is now, for option files that still list it.

Test sets lay in `_base_/benchmark`. Each data set of a training, each selection of test sets and
each damage of a shipped network had a fragment of its own. Now a fragment of data says what its
task is tested on as well, and the leaves of shipped networks say what is theirs alone.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from semanir_arch.utils.options.problems import KeyPath
from semanir_arch.utils.options.roles import BASE_KEY, Role, override, split_test
from semanir_arch.utils.options.yaml_reading import Source, find_references, load_file
from semanir_arch.utils.shipped import shipped_folder

__all__ = ["FORMER", "Former", "find_former", "read_former"]


@dataclass(frozen=True)
class Former:
    """Present form of an earlier fragment.

    Args:
        now: Files below `options`, without ending; the later ones override. The variables of a
            leaf stay its own.
        part: Part that is taken: the data set of a training, the data sets that are scored and how,
            or everything.
        role: Whether a training or a test reads them.
        values: Variables, with the values that the earlier fragment had written out.
        plus: Further options, which come last.
    """

    now: tuple[str, ...]
    part: Literal["train", "val", ""] = ""
    role: Role = "train"
    values: Mapping[str, Any] = field(default_factory=dict)
    plus: Mapping[str, Any] = field(default_factory=dict)


def _packed(leaf: str) -> Former:
    return Former(("shipped/_base_/data/packed", f"shipped/{leaf}"), "train")


def _val(*now: str, role: Role = "train", **plus: Any) -> Former:
    return Former(now, "val", role, plus=plus)


def _test(*now: str) -> Former:
    return _val(*now, role="test")


_PROTOCOL = {"protocol": "${protocol}"}

FORMER: dict[str, Former] = {
    "benchmark/bsd68": _val("_base_/testsets/denoising_gray"),
    "benchmark/cbsd68": _val("_base_/testsets/denoising_color"),
    "benchmark/cid22_dark": _val("shipped/lowlight"),
    "benchmark/cid22_exposure": _val("shipped/deblur"),
    "benchmark/cid22_jpeg": _val("shipped/jpeg", val=_PROTOCOL),
    "benchmark/cid22_mosaic": _val("shipped/demosaic"),
    "benchmark/cid22_noise": _val("shipped/denoise", val=_PROTOCOL),
    "benchmark/cid22_photo": _val("shipped/photo"),
    "benchmark/cid22_rain": _val("shipped/derain"),
    "benchmark/cid22_second_order": _val("shipped/photo_x4"),
    "benchmark/cid22_snow": _val("shipped/weather"),
    "benchmark/cid22_sr": _val("shipped/sr_x4"),
    "benchmark/deblurring": _test("_base_/data/deblurring"),
    "benchmark/demosaicking": _val("_base_/data/bayer"),
    "benchmark/denoising_color": _test("_base_/testsets/denoising_color"),
    "benchmark/denoising_gray": _test("_base_/testsets/denoising_gray"),
    "benchmark/deraining": _test("_base_/data/deraining"),
    "benchmark/dnd": _val("_base_/testsets/dnd"),
    "benchmark/dpdd": _test("_base_/data/defocus_single"),
    "benchmark/dpdd_dual": _test("_base_/data/defocus_dual"),
    "benchmark/dpdd_dual_val": _val("_base_/data/defocus_dual"),
    "benchmark/dpdd_val": _val("_base_/data/defocus_single"),
    "benchmark/gopro_val": _val("_base_/data/deblurring"),
    "benchmark/jpeg_color": _val("_base_/testsets/jpeg_color"),
    "benchmark/jpeg_gray": _val("_base_/testsets/jpeg_gray"),
    "benchmark/lowlight": _val("_base_/data/lowlight"),
    "benchmark/photo": _test("shipped/photo"),
    "benchmark/polyu": _val("realnoise/SemanIR_polyu"),
    "benchmark/quickstart": _val("_base_/data/quickstart_denoising"),
    "benchmark/rain100l": _val("_base_/data/deraining"),
    "benchmark/raindrop": _val("_base_/data/weather"),
    "benchmark/real_noise": _test("_base_/data/camera_noise"),
    "benchmark/real_pairs": _val("realworld/SemanIR_x4_pairs"),
    "benchmark/real_pictures": _val("realworld/SemanIR_x4_pictures"),
    "benchmark/realblur": _val("_base_/testsets/realblur"),
    "benchmark/second_order": _val("_base_/data/second_order"),
    "benchmark/set5": _val("_base_/testsets/sr"),
    "benchmark/sidd": _val("_base_/data/real_noise"),
    "benchmark/sr": _test("_base_/testsets/sr"),
    "benchmark/synthetic_dark": _test("shipped/lowlight"),
    "benchmark/synthetic_motion": _test("shipped/deblur"),
    "benchmark/synthetic_rain": _test("shipped/derain"),
    "benchmark/synthetic_snow": _test("shipped/weather"),
    "benchmark/weather": _test("_base_/data/weather"),
    "data/allweather": Former(("_base_/data/weather",), "train"),
    "data/camera": Former(("_base_/data/camera_noise",), "train"),
    "data/demosaicking": Former(("_base_/data/bayer",), "train"),
    "data/dpdd": Former(("_base_/data/defocus_single",), "train"),
    "data/dpdd_dual": Former(("_base_/data/defocus_dual",), "train"),
    "data/gopro": Former(("_base_/data/deblurring",), "train"),
    "data/lol": Former(("_base_/data/lowlight",), "train"),
    "data/lol_velol": Former(("_base_/data/lowlight", "lowlight/RAMiT"), "train"),
    "data/packed_dark": _packed("lowlight"),
    "data/packed_exposure": _packed("deblur"),
    "data/packed_jpeg": _packed("jpeg"),
    "data/packed_mosaic": _packed("demosaic"),
    "data/packed_noise": _packed("denoise"),
    "data/packed_photo": _packed("photo"),
    "data/packed_rain": _packed("derain"),
    "data/packed_second_order": _packed("photo_x4"),
    "data/packed_snow": _packed("weather"),
    "data/packed_sr": _packed("sr_x4"),
    "data/quickstart": Former(("_base_/data/quickstart_denoising",), "train"),
    "data/rain13k": Former(("_base_/data/deraining",), "train"),
    "data/real_world": Former(("_base_/data/second_order",), "train"),
    "data/sidd": Former(("_base_/data/real_noise",), "train"),
    "data/sr_div2k": Former(("_base_/data/sr",), values={"train_set": "DIV2K"}),
    "network/ramit_1": Former(("_base_/network/ramit",), values={"mobivari": 1}),
    "network/restormer_denoising": Former(
        ("_base_/network/restormer",),
        values={"out_channels": "${channels}", "LayerNorm_type": "BiasFree"},
    ),
    "network/semanir_compact": Former(("shipped/_base_/network/semanir_compact",)),
    "network/semanir_unet_compact": Former(("shipped/_base_/network/semanir_unet_compact",)),
    "network/swinir_denoising": Former(("_base_/network/swinir_same_size",)),
    "network/swinir_jpeg": Former(
        ("_base_/network/swinir_same_size",),
        values={"img_size": 126, "window_size": 7, "img_range": 255.0},
    ),
    "schedule/shipped": Former(("shipped/_base_/schedule/shipped",)),
}
"""Former fragments by their places below `_base_`."""

_told = set[str]()


def find_former(path: Path) -> Former | None:
    """Find what became of a fragment that is not there; told once on standard error.

    Args:
        path: Path as a leaf lists it, made absolute or relative to the working folder.
    """
    name = f"{path.parent.name}/{path.stem}"
    former = FORMER.get(name) if path.parent.parent.name == BASE_KEY else None
    if former is not None and name not in _told:
        _told.add(name)
        now = " and ".join(f"options/{file}.yml" for file in former.now)
        sys.stderr.write(f"note: {BASE_KEY}/{name}.yml is now in {now}\n")
    return former


def read_former(path: Path, former: Former) -> Source:
    """The content that a former fragment had.

    Args:
        path: Former path.
        former: Present form of the fragment.

    Raises:
        OptionError: A file is malformed.
    """
    data: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {}
    for name in former.now:
        source = _read(path.parents[2], name, former.role)
        override(data, source.data)
        lines |= source.lines
    override(data, copy.deepcopy(dict(former.plus)))
    variables = {**data.pop("vars", {}), **former.values}
    if former.part:
        data = _take(data, former.part)
    used = find_references(data)
    if kept := {name: value for name, value in variables.items() if name in used}:
        data["vars"] = kept
    return Source(source.path, data, lines)


def _read(options: Path, name: str, role: Role) -> Source:
    """A file as one role reads it, without what it inherits; of a leaf without its variables."""
    path = options / f"{name}.yml"
    source = load_file(path if path.is_file() else shipped_folder("options") / f"{name}.yml")
    own = split_test(source)
    if BASE_KEY in source.data:
        del source.data[BASE_KEY]
        source.data.pop("vars", None)
        if own is not None:
            own.data.pop("vars", None)
            own.data.pop(BASE_KEY, None)
    if role == "test" and own is not None:
        override(source.data, own.data)
        source.lines.update(own.lines)
    return source


def _take(data: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The data set of a training, or those that are scored, and how."""
    sets = data["datasets"]
    if part == "train":
        return {"datasets": {"train": sets["train"]}}
    scored = {name: block for name, block in sets.items() if name != "train" and block is not None}
    return {"datasets": scored, "val": data["val"]}
