"""Counts and names as stated in the descriptions of the authors' scripts."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from datasets_prep import extract_patches as script
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.preparation.presets import PRESETS
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.protected_json import CHECKSUM, protect
from tests.each import each
from tests.helpers import make_image


@each(
    "preset, size, count",
    [
        ("gopro", (720, 1280), 8),
        ("dfwb", (1404, 2040), 20),
        ("dfwb", (800, 2000), 1),
        ("dfwb", (321, 481), 1),
        ("sidd", (3000, 5328), 112),
        ("dpdd", (1120, 1680), 28),
        ("gopro_val", (720, 1280), 1),
        ("dpdd_val", (1120, 1680), 1),
        ("df2k", (1404, 2040), 40),
        ("div2k", (1404, 2040), 40),
    ],
)
def test_published_numbers_of_patches(preset, size, count):
    assert len(PRESETS[preset].tiling.windows(*size)) == count


def test_positions_are_those_of_the_papers():
    rows = sorted({top for top, _, _, _ in PRESETS["dpdd"].tiling.windows(1120, 1680)})
    columns = sorted({left for _, left, _, _ in PRESETS["dpdd"].tiling.windows(1120, 1680)})
    assert rows == [0, 204, 408, 608]
    assert columns == [0, 204, 408, 612, 816, 1020, 1168]
    assert PRESETS["gopro"].tiling.windows(720, 1280)[:5] == [
        *((0, left, 512, 512) for left in (0, 256, 512, 768)),
        (208, 0, 512, 512),
    ]
    assert PRESETS["gopro_val"].tiling.windows(720, 1280) == [(232, 512, 256, 256)]


def run(root, preset, *extra):
    arguments = ["--preset", preset, "--root", root, "--workers", 2, *extra]
    return script.main([str(argument) for argument in arguments])


def names(folder):
    return sorted(path.name for path in folder.glob("*.png"))


def test_gopro_pairs_get_the_same_places_and_names(tmp_path, capsys):
    pair = {role: make_image((720, 1280, 3), seed=seed) for seed, role in enumerate("ab")}
    folder = tmp_path / "train/GoPro"
    write_image(folder / "input/GO-1.png", pair["a"])
    write_image(folder / "target/GO-1.png", pair["b"])
    assert run(tmp_path, "gopro") == 0
    assert "8 patches of 1 images" in capsys.readouterr().out
    expected = [f"GO-1-{number}.png" for number in range(1, 9)]
    assert names(folder / "input_crops") == names(folder / "target_crops") == expected
    for role, image in (("input", pair["a"]), ("target", pair["b"])):
        patch = cv2.imread(str(folder / f"{role}_crops/GO-1-6.png"))[..., ::-1]
        np.testing.assert_array_equal(patch, image[208:, 256:768])


def test_second_output_is_checked_once_and_continued_later(tmp_path, capsys):
    folder = tmp_path / "train/GoPro"
    for role in ("input", "target"):
        write_image(folder / role / "1.png", make_image((40, 40, 3)))
    write_image(folder / "input_crops/mine.png", make_image((4, 4, 3)))
    assert run(tmp_path, "gopro") == 2
    assert "input_crops: not empty, and" in capsys.readouterr().err
    (folder / "input_crops/mine.png").unlink()
    # as after a run that was killed while it cut the first images
    (folder / "target_crops").mkdir()
    assert run(tmp_path, "gopro") == 0
    manifest = folder / "target_crops/manifest.json"
    content = json.loads(manifest.read_text())
    del content[CHECKSUM]
    manifest.write_text(protect(json.dumps({**content, "images": {}}, indent=1)))
    assert run(tmp_path, "gopro") == 0
    assert names(folder / "input_crops") == ["1-1.png"]


def test_dpdd_keeps_20_of_28_in_16_bit(tmp_path, capsys):
    folder = tmp_path / "train/DPDD"
    target = np.zeros((1120, 1680, 3), np.uint16)
    # contrast grows to the right: the least sharp patches are the 8 on the left
    noise = make_image((1120, 1680, 3), np.uint16)
    target[:] = noise * np.linspace(0.05, 1, 1680)[:, None]
    for role in ("inputC", "inputL", "inputR"):
        write_image(folder / role / "s.png", noise)
    write_image(folder / "target/s.png", target)
    assert run(tmp_path, "dpdd") == 0
    assert "20 patches of 1 images" in capsys.readouterr().out
    for role in ("inputC", "inputL", "inputR", "target"):
        assert len(names(folder / f"{role}_crops")) == 20
    first = load_image(folder / "target_crops/s-1.png").pixels
    assert first.dtype == np.uint16
    # row by row, after the two leftmost columns of patches are gone
    np.testing.assert_array_equal(first, target[:512, 408 : 408 + 512])
    right = load_image(folder / "inputR_crops/s-1.png").pixels
    np.testing.assert_array_equal(right, noise[:512, 408 : 408 + 512])


def test_dfwb_joins_four_corpora_under_their_names(tmp_path):
    for folder in ("DIV2K/train_HR", "Flickr2K/HR", "BSD400"):
        write_image(tmp_path / "train" / folder / "1.png", make_image((60, 70, 3)))
    write_image(tmp_path / "train/WED/1.bmp", make_image((801, 920, 1)))
    assert run(tmp_path, "dfwb") == 0
    assert names(tmp_path / "train/DFWB") == [
        "BSD400-1.png",
        "DIV2K-1.png",
        "Flickr2K-1.png",
        *(f"WaterlooED-1-{number}.png" for number in (1, 2, 3, 4)),
    ]


@pytest.mark.parametrize("lmdb", [None, "raw"])
def test_df2k_cuts_all_resolutions_that_are_there(tmp_path, capsys, lmdb):
    if lmdb:
        pytest.importorskip("lmdb", reason="lmdb is not installed")
    for name, base in (("DIV2K", "train_HR"), ("Flickr2K", "HR")):
        low = "train_LR_bicubic" if name == "DIV2K" else "LR_bicubic"
        write_image(tmp_path / f"train/{name}/{base}/{name}1.png", make_image((504, 720, 3)))
        for scale in (2, 4):
            path = tmp_path / f"train/{name}/{low}/X{scale}/{name}1x{scale}.png"
            write_image(path, make_image((504 // scale, 720 // scale, 3)))
    assert run(tmp_path, "df2k", *(["--lmdb", lmdb] if lmdb else [])) == 0
    assert "X3: not there, left out" in capsys.readouterr().out
    expected = [f"{name}1_s00{n}" for name in ("DIV2K", "Flickr2K") for n in (1, 2, 3, 4)]
    suffix = ".lmdb" if lmdb else ""
    for folder, edge in (("HR_sub", 480), ("LR_bicubic_sub/X2", 240), ("LR_bicubic_sub/X4", 120)):
        source = open_source(tmp_path / f"train/DF2K/{folder}{suffix}")
        assert sorted(source.names) == expected
        assert {source.read(index).shape for index in range(8)} == {(edge, edge, 3)}
    assert not (tmp_path / f"train/DF2K/LR_bicubic_sub/X3{suffix}").exists()


def test_missing_folders_and_partners_are_named(tmp_path, capsys):
    assert run(tmp_path, "gopro") == 2
    assert "train/GoPro/target: no such folder; datasets_prep/prepare.py" in capsys.readouterr().err
    for role, stems in (("input", "ab"), ("target", "a")):
        for stem in stems:
            write_image(tmp_path / f"train/GoPro/{role}/{stem}.png", make_image((8, 8, 3)))
    assert run(tmp_path, "gopro") == 2
    assert "1 images do not pair with" in capsys.readouterr().err
    assert not (tmp_path / "train/GoPro/input_crops").exists()
