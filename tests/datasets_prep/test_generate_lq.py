from __future__ import annotations

import numpy as np
import pytest

from datasets_prep import generate_lq
from semanir_arch.data.image_io import load_image, write_image
from tests.helpers import make_image


def run(source, target, *extra):
    arguments = ["--task", "gaussian", "--sigma", "25", *extra, source, target]
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
    assert "broken.png: not an image" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "noisy").iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("name", "extra", "message"),
    [
        ("out.jpg", [], "results are PNG files"),
        ("out.png", ["--sigma", "-1"], "needs --sigma from 0 to 255, received -1.0"),
    ],
)
def test_bad_arguments_are_refused(gray_photo, tmp_path, capsys, name, extra, message):
    assert run(gray_photo, tmp_path / name, *extra) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_missing_input_is_named(tmp_path, capsys):
    assert run(tmp_path / "nowhere.png", tmp_path / "out.png") == 2
    assert "nowhere.png: no such folder or image" in capsys.readouterr().err
