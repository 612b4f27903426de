from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest
import torch

from datasets_prep import generate_lq
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.sources.scanning import scan_images
from tests.each import each
from tests.helpers import ROOT, make_image

SET5 = ROOT / "datasets/test/Set5"


def run(source, target, *extra):
    return run_damage("noise", source, target, "--sigma", 25, *extra)


def run_damage(damage, source, target, *extra):
    arguments = [source, target, "--damage", damage, "--workers", 2, *extra]
    return generate_lq.main([str(argument) for argument in arguments])


@pytest.fixture
def gray_photo(tmp_path):
    """Mid-gray, so that next to nothing is clipped."""
    path = tmp_path / "clean" / "photo.png"
    write_image(path, np.full((64, 64, 3), 128, np.uint8))
    return path


def test_noisy_file_has_the_given_deviation(gray_photo, tmp_path, capsys):
    target = tmp_path / "noisy" / "photo.png"
    assert run(gray_photo, target) == 0
    assert capsys.readouterr().out == f"{target}\n"
    pixels = load_image(target).pixels
    assert pixels.dtype == np.uint8
    assert pixels.std() == pytest.approx(25, rel=0.02)
    assert pixels.mean() == pytest.approx(128, abs=1)


def test_seed_decides_the_noise(gray_photo, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run(gray_photo, tmp_path / f"{name}.png", "--seed", seed) == 0
    first, again, other = (load_image(tmp_path / f"{name}.png").pixels for name in "abc")
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_noise_of_a_seed_stays_the_same(gray_photo, tmp_path):
    """The quickstart's picture in the README depends on it."""
    assert run(gray_photo, tmp_path / "noisy.png", "--seed", 7) == 0
    digest = hashlib.sha256(b"7/photo.png").digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    noise = torch.randn((3, 64, 64), generator=generator).permute(1, 2, 0).numpy()
    expected = np.rint(np.clip(np.float32(128 / 255) + noise * (25 / 255), 0, 1) * 255)
    np.testing.assert_array_equal(load_image(tmp_path / "noisy.png").pixels, expected)


def test_folders_are_repeated_and_each_image_has_its_own_noise(gray_photo, tmp_path):
    folder = gray_photo.parent
    for name in ("other.jpg", "sub/deep.tif"):
        dtype = np.uint16 if name.endswith("tif") else np.uint8
        write_image(folder / name, np.full((64, 64, 3), np.iinfo(dtype).max // 2, dtype))
    assert run(folder, tmp_path / "noisy") == 0
    written = [path.relative_to(tmp_path / "noisy") for path in (tmp_path / "noisy").rglob("*.png")]
    assert sorted(path.as_posix() for path in written) == ["other.png", "photo.png", "sub/deep.png"]
    images = [load_image(tmp_path / "noisy" / path).pixels for path in written]
    assert all((images[0] != image).mean() > 0.9 for image in images[1:])


def test_noise_of_an_image_does_not_depend_on_the_others(gray_photo, tmp_path):
    assert run(gray_photo, tmp_path / "alone.png") == 0
    write_image(gray_photo.parent / "another.png", make_image((8, 8, 3)))
    assert run(gray_photo.parent, tmp_path / "noisy") == 0
    np.testing.assert_array_equal(
        load_image(tmp_path / "alone.png").pixels, load_image(tmp_path / "noisy/photo.png").pixels
    )


def test_gray_stays_gray(tmp_path):
    write_image(tmp_path / "gray.png", make_image((20, 20, 1)))
    assert run(tmp_path / "gray.png", tmp_path / "noisy") == 0
    assert load_image(tmp_path / "noisy/gray.png").pixels.shape == (20, 20, 1)


def test_clean_image_is_never_replaced(gray_photo, capsys):
    before = gray_photo.read_bytes()
    for source, target in ((gray_photo, gray_photo), (gray_photo.parent, gray_photo.parent)):
        assert run(source, target) == 2
        assert "photo.png: the result would replace it" in capsys.readouterr().err
    assert gray_photo.read_bytes() == before


def test_bad_images_are_reported_and_the_rest_is_written(gray_photo, tmp_path, capsys):
    (gray_photo.parent / "broken.png").write_bytes(b"nothing")
    assert run(gray_photo.parent, tmp_path / "noisy") == 1
    assert "broken.png: cannot be read as an image" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "noisy").glob("*.png")] == ["photo.png"]


@pytest.mark.parametrize(
    ("name", "extra", "message"),
    [
        ("out.jpg", [], "results are PNG files"),
        ("out.png", ["--sigma", "-1"], "sigma must lie in [0, 255], received -1.0"),
    ],
)
def test_bad_arguments_are_refused(gray_photo, tmp_path, capsys, name, extra, message):
    assert run(gray_photo, tmp_path / name, *extra) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_missing_input_is_named(tmp_path, capsys):
    assert run(tmp_path / "nowhere.png", tmp_path / "out.png") == 2
    assert "nowhere.png: no such folder or image" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_low_resolution_images_come_out_bit_by_bit(tmp_path, scale):
    if not SET5.is_dir():
        pytest.skip("datasets/test/Set5 is not there")
    extra = ("--scale", scale, "--template", f"{{}}x{scale}")
    assert run_damage("bicubic", SET5 / "HR", tmp_path / "LR", *extra) == 0
    published = scan_images(SET5 / f"LR_bicubic/X{scale}")
    assert len(published) == 5
    for path in published:
        made = load_image(tmp_path / "LR" / path.name).pixels
        np.testing.assert_array_equal(made, load_image(path).pixels)


def test_jpeg_is_what_the_codec_gives(tmp_path):
    pixels = cv2.GaussianBlur(make_image((48, 64, 3)), (0, 0), 3)
    write_image(tmp_path / "photo.png", pixels)
    assert run_damage("jpeg", tmp_path / "photo.png", tmp_path / "lq.png", "--quality", 10) == 0
    coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    expected = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(load_image(tmp_path / "lq.png").pixels, expected)


def test_mosaic_keeps_one_colour_per_pixel(tmp_path):
    pixels = make_image((8, 10, 3), np.uint16)
    write_image(tmp_path / "photo.png", pixels)
    arguments = (tmp_path / "photo.png", tmp_path / "lq.png", "--set", "phase=grbg")
    assert run_damage("mosaic", *arguments) == 0
    plane = load_image(tmp_path / "lq.png").pixels[..., 0]
    assert plane.dtype == np.uint16
    np.testing.assert_array_equal(plane[::2, ::2], pixels[::2, ::2, 1])
    np.testing.assert_array_equal(plane[::2, 1::2], pixels[::2, 1::2, 0])
    np.testing.assert_array_equal(plane[1::2, ::2], pixels[1::2, ::2, 2])


# what has no default, and so much of the rest that small images get some
NEEDED = {
    "noise": ["sigma=10"],
    "bicubic": ["scale=2"],
    "jpeg": ["quality=[20, 30]"],
    "rain": ["amount=500"],
    "snow": ["amount=500"],
    "raindrops": ["amount=100"],
}
EIGHT_BIT = {
    "jpeg",
    "camera",
    "second_order",
    "shuffled",
    "photographic_blur",
    "old_photograph",
}


@each("damage", DAMAGES)
@each("dtype", [np.uint8, np.uint16])
def test_every_damage_is_reproducible_and_keeps_the_depth(tmp_path, damage, dtype):
    pixels = make_image((40, 48, 3), dtype)
    write_image(tmp_path / "photo.png", pixels)
    results = []
    for name in ("a.png", "b.png"):
        extra = ["--set", *NEEDED[damage]] if damage in NEEDED else []
        assert run_damage(damage, tmp_path / "photo.png", tmp_path / name, "--seed", 3, *extra) == 0
        results.append(load_image(tmp_path / name).pixels)
    np.testing.assert_array_equal(*results)
    assert results[0].dtype == (np.uint8 if damage in EIGHT_BIT else dtype)
    assert results[0].shape != pixels.shape or (results[0] != pixels).any()


def test_folders_continue_and_are_not_repeated(gray_photo, tmp_path, monkeypatch):
    folder, noisy = gray_photo.parent, tmp_path / "noisy"
    for seed in range(4):
        write_image(folder / f"{seed}.png", make_image((20, 20, 3), seed=seed))

    def interrupt(function, jobs, workers):
        for job in list(jobs)[:2]:
            yield job, function(job)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generate_lq, "run_jobs", interrupt)
        assert run(folder, noisy) == 130
    before = {path.name: path.stat().st_mtime_ns for path in noisy.glob("*.png")}
    assert len(before) == 2
    assert run(folder, noisy) == 0
    after = {path.name: path.stat().st_mtime_ns for path in noisy.glob("*.png")}
    assert len(after) == 5
    assert {name: after[name] for name in before} == before


def test_other_parameters_need_another_folder(gray_photo, tmp_path, capsys):
    assert run(gray_photo.parent, tmp_path / "noisy") == 0
    assert run(gray_photo.parent, tmp_path / "noisy") == 0
    assert run(gray_photo.parent, tmp_path / "noisy", "--seed", 1) == 2
    assert "seed 0 instead of 1" in capsys.readouterr().err
    assert run(gray_photo.parent, tmp_path / "noisy", "--sigma", 30) == 2


def test_result_does_not_depend_on_the_number_of_processes(gray_photo, tmp_path):
    for seed in range(3):
        write_image(gray_photo.parent / f"{seed}.png", make_image((20, 20, 3), seed=seed))
    for workers in (1, 3):
        assert run(gray_photo.parent, tmp_path / str(workers), "--workers", workers) == 0
    for path in (tmp_path / "1").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes()


@each(
    "damage, extra, message",
    [
        ("noise", [], "--damage noise: sigma is needed, a number from 0 to 255"),
        ("jpeg", ["--sigma", 3, "--quality", 3], "there is no parameter sigma; allowed: quality"),
        ("jpeg", ["--quality", 0], "quality must lie in [1, 100]"),
        ("jpeg", ["--quality", 9, "--set", "chroma=4:1:1"], "chroma must be one of 4:2:0, 4:4:4"),
        ("rain", ["--set", "amount"], "--set takes NAME=VALUE, received 'amount'"),
        ("rain", ["--set", "amount=[60, 10]"], "amount must go from low to high"),
        ("rain", ["--template", "x"], "--template must have one {}"),
        ("bicubic", ["--scale", 100], "scale must lie in [1, 16]"),
        ("demosaic", [], "photo.png: expected (..., 3, H, W)"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(tmp_path, capsys, damage, extra, message):
    shape = (8, 8, 1) if damage == "demosaic" else (8, 8, 3)
    write_image(tmp_path / "photo.png", make_image(shape))
    code = run_damage(damage, tmp_path / "photo.png", tmp_path / "lq.png", *extra)
    assert code == (1 if damage == "demosaic" else 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "lq.png").exists()


def test_results_that_are_one_file_on_some_systems_are_refused(tmp_path, capsys):
    for name in ("caf\u00e9.png", "CAFE\u0301.png"):
        write_image(tmp_path / "clean" / name, make_image((8, 8, 3)))
    assert run(tmp_path / "clean", tmp_path / "noisy") == 2
    assert "which are one name on some systems" in capsys.readouterr().err
    assert not (tmp_path / "noisy").exists()


def test_hidden_colours_do_not_get_into_results(tmp_path):
    pixels = np.full((24, 24, 4), 200, np.uint8)
    pixels[:, 12:] = 0
    write_image(tmp_path / "a.png", pixels)
    assert run_damage("jpeg", tmp_path / "a.png", tmp_path / "b.png", "--quality", 100) == 0
    np.testing.assert_allclose(load_image(tmp_path / "b.png").pixels.astype(int), 200, atol=2)


def test_a_former_name_of_a_damage_is_read_and_its_folders_are_continued(
    gray_photo, tmp_path, capsys
):
    clean, noisy = gray_photo.parent, tmp_path / "noisy"
    assert run_damage("gaussian", clean, noisy, "--sigma", 25) == 0
    assert "note: damage 'gaussian' is now called 'noise'; both are read" in capsys.readouterr().err
    # as records have had it from the beginning
    record = json.loads((noisy / "manifest.json").read_text())["parameters"]
    assert record["task"] == "gaussian"
    assert record["texts"] == {}
    assert run_damage("noise", clean, noisy, "--sigma", 25) == 0
    assert capsys.readouterr().err == ""


def test_words_that_came_later_are_recorded_only_where_they_are_not_as_they_were(
    gray_photo, tmp_path
):
    records = []
    for number, extra in enumerate(([], ["--set", "encoder=pillow"])):
        folder = tmp_path / str(number)
        assert run_damage("jpeg", gray_photo.parent, folder, "--quality", 30, *extra) == 0
        records.append(json.loads((folder / "manifest.json").read_text())["parameters"]["texts"])
    assert records == [{"chroma": "4:2:0"}, {"chroma": "4:2:0", "encoder": "pillow"}]
