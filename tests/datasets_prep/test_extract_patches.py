from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets_prep import extract_patches as script
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.preparation import extraction
from semanir_arch.data.preparation.extraction import check_names
from semanir_arch.data.preparation.patch_manifest import PatchManifest
from semanir_arch.data.preparation.patches import Group, PatchGrid, View, positions
from semanir_arch.data.sources.source_opening import open_source
from tests.helpers import ROOT, make_image


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for seed, name in enumerate(("a.png", "b.png", "sub/c.png")):
        write_image(folder / name, make_image((50, 40, 3), seed=seed))
    return folder


def run(photos, *extra):
    """Cut `photos` into `patches` beside it."""
    output = photos.parent / "patches"
    arguments = ["--input", photos, "--output", output, "--size", 16, "--step", 12, "--workers", 2]
    return script.main([str(argument) for argument in (*arguments, *extra)])


def patches_of(photos):
    folder = photos.parent / "patches"
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}


@pytest.mark.parametrize(
    ("length", "size", "step"), [(50, 16, 12), (16, 16, 5), (9, 16, 4), (40, 8, 8)]
)
def test_positions_cover_everything_without_leaving_the_image(length, size, step):
    starts = positions(length, size, step)
    covered = {pixel for start in starts for pixel in range(start, start + min(size, length))}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))
    assert all(after - before <= step for before, after in pairwise(starts))


def test_patches_are_the_pixels_of_the_image_in_order(photos, capsys):
    assert run(photos) == 0
    assert "36 patches of 3 images" in capsys.readouterr().out
    image = cv2.imread(str(photos / "sub/c.png"))
    expected = [
        image[top : top + 16, left : left + 16] for top in (0, 12, 24, 34) for left in (0, 12, 24)
    ]
    for number, patch in enumerate(expected):
        written = cv2.imread(str(patches_of(photos)[f"sub/c_{number:04d}.png"]))
        np.testing.assert_array_equal(written, patch)


def test_depth_is_kept_and_alpha_dropped(photos):
    write_image(photos / "deep.tif", make_image((16, 20, 4), np.uint16))
    assert run(photos) == 0
    patch = load_image(patches_of(photos)["deep_0001.png"]).pixels
    np.testing.assert_array_equal(patch, load_image(photos / "deep.tif").color[:, 4:])


def test_nearly_constant_patches_are_left_out(photos, capsys):
    pixels = make_image((16, 32, 3))
    pixels[:, :16] = (10, 200, 30)
    write_image(photos / "border.png", pixels)
    assert run(photos, "--min-std", 2, "--step", 16) == 0
    assert "1 nearly constant ones left out" in capsys.readouterr().out
    assert [name for name in patches_of(photos) if name.startswith("border")] == ["border_0000.png"]
    kept = load_image(patches_of(photos)["border_0000.png"]).pixels
    np.testing.assert_array_equal(kept, pixels[:, 16:])


def test_deviation_is_on_the_scale_of_8_bits():
    levels = np.zeros((2, 2, 1), np.uint16)
    levels[0] = 257 * 10
    window = [(0, 0, 2, 2)]
    assert PatchGrid(2, 2, min_std=5).choose(levels, window) == window
    assert PatchGrid(2, 2, min_std=5.01).choose(levels, window) == []


def test_second_run_does_nothing_and_third_continues(photos):
    assert run(photos) == 0
    before = {name: path.stat().st_mtime_ns for name, path in patches_of(photos).items()}
    assert run(photos) == 0
    assert {name: path.stat().st_mtime_ns for name, path in patches_of(photos).items()} == before
    patches_of(photos)["b_0003.png"].unlink()
    write_image(photos / "d.png", make_image((16, 16, 3)))
    assert run(photos) == 0
    after = {name: path.stat().st_mtime_ns for name, path in patches_of(photos).items()}
    assert {name for name in after if after[name] != before.get(name)} == {
        *(name for name in before if name.startswith("b_")),
        "d_0000.png",
    }


def test_interrupted_run_continues_to_the_same_result(photos, monkeypatch, capsys):
    def interrupt(function, groups, workers):
        yield groups[0], function(groups[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "run_jobs", interrupt)
        assert run(photos) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    manifest = json.loads((photos.parent / "patches/manifest.json").read_text())
    assert list(manifest["images"]) == ["a.png"]
    assert run(photos) == 0
    assert len(patches_of(photos)) == 36


def test_killed_run_repeats_nothing_and_leaves_nothing_broken(photos):
    for seed in range(60):
        write_image(photos / f"n{seed}.png", make_image((120, 100, 3), seed=seed))
    folder = photos.parent / "patches"
    code = (
        "import sys, time\n"
        "from datasets_prep import extract_patches\n"
        "from semanir_arch.data.preparation import patches\n"
        "inner, done = patches.encode_fast_png, []\n"
        "def encode(pixels):\n"
        "    done.append(None)\n"
        # each of two workers: 12 images of 80 patches, then a half, and no more
        "    time.sleep(3600 if len(done) > 1000 else 0)\n"
        "    return inner(pixels)\n"
        "patches.encode_fast_png = encode\n"
        "sys.exit(extract_patches.main(sys.argv[1:]))\n"
    )
    options = ["--input", photos, "--output", folder, "--size", 16, "--step", 12, "--workers", 2]
    command = [sys.executable, "-c", code, *map(str, options)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    journal, deadline = folder / "manifest.journal", time.monotonic() + 600
    while not (journal.is_file() and journal.read_text().count("\n") > 15):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # the workers too, as a machine that is switched off
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with journal.open("a") as file:
        file.write('["n59.png", {"bytes": 3')
    done = {json.loads(line)[0] for line in journal.read_text().splitlines()[:-1]}
    before = {name: path.stat().st_mtime_ns for name, path in patches_of(photos).items()}
    assert all(load_image(path).pixels.size for path in patches_of(photos).values())
    assert 15 < len(done) < 60
    assert run(photos) == 0
    after = {name: path.stat().st_mtime_ns for name, path in patches_of(photos).items()}
    finished = {Path(name).stem for name in done}
    assert all(after[n] == before[n] for n in before if n.rsplit("_", 1)[0] in finished)
    assert len(after) == 3 * 12 + 60 * 80
    assert not list(folder.rglob(".*"))
    for name in ("n7", "n58"):
        image = load_image(photos / f"{name}.png").pixels
        np.testing.assert_array_equal(
            load_image(folder / f"{name}_0079.png").pixels, image[104:, 84:]
        )


@pytest.mark.parametrize("kind", ["raw", "png"])
def test_lmdb_holds_the_same_patches(photos, kind):
    pytest.importorskip("lmdb", reason="lmdb is not installed")
    assert run(photos) == 0
    assert run(photos, "--lmdb", kind) == 0
    source = open_source(photos.parent / "patches.lmdb")
    files = {name[:-4]: path for name, path in patches_of(photos).items()}
    assert set(source.names) == set(files)
    for index, name in enumerate(source.names):
        np.testing.assert_array_equal(source.read(index), load_image(files[name]).pixels)


def test_interrupted_lmdb_continues(photos, monkeypatch):
    pytest.importorskip("lmdb", reason="lmdb is not installed")
    inner = extraction.run_jobs

    def interrupt(*arguments):
        yield next(iter(inner(*arguments)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "run_jobs", interrupt)
        assert run(photos, "--lmdb", "raw") == 130
    with pytest.raises(FileNotFoundError, match="unfinished"):
        open_source(photos.parent / "patches.lmdb")
    assert run(photos, "--lmdb", "raw") == 0
    assert len(open_source(photos.parent / "patches.lmdb")) == 36


def test_other_parameters_need_another_folder(photos, capsys):
    assert run(photos) == 0
    assert run(photos, "--step", 8, "--holdout", "a", "--holdout-output", photos.parent / "x") == 2
    message = capsys.readouterr().err
    assert "step 12 instead of 8, holdout [] instead of ['a.png']" in message
    assert "choose another folder" in message
    assert not (photos.parent / "x").exists()


def test_foreign_files_and_changed_images_stop_the_run(photos, capsys):
    (photos.parent / "patches").mkdir()
    (photos.parent / "patches/notes.txt").touch()
    assert run(photos) == 2
    assert "not empty" in capsys.readouterr().err
    (photos.parent / "patches/notes.txt").unlink()
    assert run(photos) == 0
    write_image(photos / "a.png", make_image((60, 60, 3)))
    assert run(photos) == 2
    assert "a.png changed since it was processed" in capsys.readouterr().err
    (photos / "a.png").unlink()
    assert run(photos) == 2
    assert "holds patches of a.png, which the input lacks" in capsys.readouterr().err


def test_held_out_images_are_copied_whole_and_never_cut(photos):
    folder = photos.parent / "test"
    assert run(photos, "--holdout", "c", "--holdout-output", folder, "--exclude", "b.png") == 0
    assert {name[0] for name in patches_of(photos)} == {"a"}
    copy = load_image(folder / "sub/c.png").pixels
    np.testing.assert_array_equal(copy, load_image(photos / "sub/c.png").pixels)


def test_bad_images_are_reported_at_the_end_and_the_rest_is_cut(photos, capsys):
    (photos / "broken.png").write_bytes((photos / "a.png").read_bytes()[:500])
    (photos / "empty.jpg").touch()
    assert run(photos) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert {"broken.png" in error or "empty.jpg" in error for error in errors} == {True}
    assert len(patches_of(photos)) == 36


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--exclude", "aa"], "aa: no such image in the input; did you mean 'a'?"),
        (["--holdout", "a"], "--holdout needs --holdout-output"),
        (["--exclude", "a", "b", "c"], "no image is left"),
        (["--size", "0"], "size must be 1 or more, received 0"),
        (["--step", "0"], "step must be 1 or more, received 0"),
        (["--input", "nowhere"], "nowhere: no such folder"),
        (["--workers", "0"], "workers must be 1 or more, received 0"),
    ],
)
def test_bad_arguments_give_one_message_and_write_nothing(photos, capsys, extra, message):
    assert run(photos, *extra) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not patches_of(photos)


def test_images_that_differ_in_their_suffix_are_refused(photos, capsys):
    write_image(photos / "a.jpg", make_image((20, 20, 3)))
    assert run(photos) == 2
    assert "a.jpg and a.png differ only in their suffix" in capsys.readouterr().err


def test_photographs_of_scikit_image_are_found():
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    images = script.find_images("skimage")
    assert len(images) == 9
    for path in images.values():
        assert load_image(path).pixels.shape[2] == 3


@pytest.mark.parametrize("twin", ["A.png", "sub/C.jpg", "Sub/c.png"])
def test_images_whose_patches_would_be_one_file_on_some_systems_are_refused(photos, capsys, twin):
    write_image(photos / twin, make_image((20, 20, 3)))
    assert run(photos) == 2
    assert "differ only in case or in how accents are written" in capsys.readouterr().err
    assert not patches_of(photos)


def groups_of(folder, *stems, **tiling):
    output = folder / "patches"
    return [
        Group(stem, (View(folder / f"{stem}.png", output, stem),), PatchGrid(8, 8, **tiling))
        for stem in stems
    ]


@pytest.mark.parametrize(
    ("stems", "tiling"),
    [(("a", "a"), {}), (("a", "A"), {}), (("b", "a", "a_0001"), {"max_whole": 10})],
)
def test_patches_of_one_name_are_told_before_any_is_cut(tmp_path, stems, tiling):
    with pytest.raises(ValueError, match=r"a\.png and .*\.png .*rename one of them"):
        check_names(groups_of(tmp_path, *stems, **tiling))


def test_numbers_in_names_are_no_clash(tmp_path):
    check_names(groups_of(tmp_path, "a", "a_0001", "a_0001_0001"))
    check_names(groups_of(tmp_path, "a_0001", "a_0002", "b_1", max_whole=10))


def test_a_changed_record_is_noticed(photos, capsys):
    assert run(photos) == 0
    path = photos.parent / "patches" / "manifest.json"
    good = path.read_bytes()
    place = good.index(b'"patches": ') + len(b'"patches": ')
    path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    assert run(photos) == 2
    assert "manifest.json: damaged; delete" in capsys.readouterr().err
    path.write_bytes(good)
    assert run(photos) == 0
    assert "note" not in capsys.readouterr().out
    content = json.loads(good)
    del content["sha256"]
    path.write_text(json.dumps(content, indent=1) + "\n")
    assert run(photos) == 0
    assert "written by an earlier version, without a checksum" in capsys.readouterr().out
    assert path.read_bytes() == good


def test_what_a_damaged_line_of_the_journal_was_about_is_cut_again(tmp_path):
    manifest = PatchManifest(tmp_path / "patches", {"size": 8})
    manifest.write()
    for name in ("a", "b"):
        manifest.add(name, {"bytes": 70, "patches": 3})
    path = tmp_path / "patches" / "manifest.journal"
    good = path.read_bytes()
    assert PatchManifest(tmp_path / "patches", {"size": 8}).images.keys() == {"a", "b"}
    for bit in range(8 * good.index(b"\n")):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        found = PatchManifest(tmp_path / "patches", {"size": 8}).images
        assert found == {"b": {"bytes": 70, "patches": 3}}
