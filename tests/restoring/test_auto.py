"""The command chooses, says what it did, and leaves alone what needs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from semanir_arch import Restorer
from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring import chain
from semanir_arch.restoring.chain import Chain
from semanir_arch.restoring.diagnosis import TaskChoice
from semanir_arch.restoring.looking import candidates
from tests.each import each
from tests.helpers import TINY_SR, TINY_UNET, make_image, save_weights
from tests.restoring.diagnosis.test_diagnosis import scene, with_noise


def run(*arguments):
    return cli.main([*map(str, arguments), "--device", "cpu"])


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A clean and a grainy picture; the longer side is that of no small one."""
    monkeypatch.chdir(tmp_path)
    clean = scene(height=200, width=400)
    write_image("in/clean.png", clean)
    write_image("in/deep/grainy.png", with_noise(clean, 25))
    return clean


def test_every_picture_gets_what_it_needs(pictures, capsys):
    assert run("in", "-o", "out") == 0
    assert Path("out/clean.png").read_bytes() == Path("in/clean.png").read_bytes()
    restored = load_image("out/deep/grainy.png").pixels.astype(float)
    errors = [
        np.square(image - pictures).mean()
        for image in (restored, load_image("in/deep/grainy.png").pixels.astype(float))
    ]
    assert errors[0] < errors[1] / 4
    out = capsys.readouterr().out
    assert "nothing to repair, color -> left as it is" in out
    assert "grainy (noise of about 2" in out
    assert "color -> denoise\n" in out
    assert "levels on average (2" in out


def test_a_clean_picture_is_restored_on_demand_and_converted_where_asked(pictures):
    assert run("in/clean.png", "-o", "forced", "--task", "auto", "--force") == 0
    assert Path("forced/clean.png").read_bytes() != Path("in/clean.png").read_bytes()
    assert run("in/clean.png", "-o", "out", "--format", "tif", "--depth", "16") == 0
    converted = load_image("out/clean.tif").pixels
    np.testing.assert_array_equal(converted, pictures.astype(np.uint16) * 257)
    # a copy replaces nothing either
    Path("out/clean.png").write_bytes(b"precious")
    assert run("in/clean.png", "-o", "out") == 1
    assert Path("out/clean.png").read_bytes() == b"precious"


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_result_without_the_fine_texture_is_not_kept(pictures, monkeypatch, capsys, suffix):
    # the network takes what there is in the upper half, and nothing elsewhere
    textured = scene()
    textured[:224] = with_noise(textured, 10)[:224]
    wrong = TaskChoice("grainy (wrongly), color", ("denoise",))
    monkeypatch.setattr(chain, "choose", lambda *_, **__: wrong)
    write_image("textured.png", textured)
    result = Path(f"out/textured.{suffix}")
    assert run("textured.png", "-o", "out", "--format", suffix) == 0
    said = capsys.readouterr().out
    assert "-> denoise" in said
    assert "denoise takes away fine texture, not noise (--force keeps its result)" in said
    assert "left as it is" in said
    assert np.array_equal(load_image(result).pixels, textured)
    assert run("textured.png", "-o", "out", "--format", suffix, "--force", "--overwrite") == 0
    assert "changed by" in capsys.readouterr().out
    assert not np.array_equal(load_image(result).pixels, textured)


def test_gray_pictures_are_tried_and_kept_where_there_is_grain(pictures, capsys):
    clean = scene(channels=1)
    write_image("gray/clean.png", clean)
    # grain that neighbors share, as scanners and cameras make it
    write_image("gray/grainy.png", with_noise(scene(), 6, blur=0.7)[..., :1])
    assert run("gray", "-o", "out") == 0
    said = capsys.readouterr().out
    assert said.count("-> photo if it finds grain, else left as it is") == 2
    assert said.count("photo found no grain") == said.count("changed by") == 1
    assert Path("out/clean.png").read_bytes() == Path("gray/clean.png").read_bytes()
    before, after = (
        np.abs(load_image(path).pixels.astype(float) - clean)[96:].mean()  # below the texture
        for path in ("gray/grainy.png", "out/grainy.png")
    )
    assert after < 0.7 * before


def test_a_diagnosis_writes_nothing(pictures, capsys):
    assert run("in", "missing.png", "--diagnose") == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "in/clean.png: nothing to repair, color -> left as it is",
        "in/deep/grainy.png: grainy (noise of about 24 levels), color -> denoise",
    ]
    assert "missing.png" in captured.err
    assert run("in", "--diagnose", "--json") == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["tasks"] for one in facts] == [[], ["denoise"]]
    assert facts[1]["noise"]["luma"] > 10
    assert {path.name for path in Path().iterdir()} == {"in"}


def test_a_contact_sheet_shows_every_task(pictures, capsys):
    write_image("clean.png", pictures[:40, :48])
    assert run("clean.png", "--try", "-o", "out") == 0
    # three rows of pictures in twice the size
    assert load_image("out/clean_try.png").pixels.shape[0] > 3 * 80
    page = Path("out/clean_try.html").read_text()
    for task in ("denoise", "jpeg", "sr_x2", "deblur (demo)", "jpeg+sr_x2"):
        assert task in page
    assert run("clean.png", "--try", "-o", "out") == 1
    assert "exists; --overwrite" in capsys.readouterr().err


def test_gray_pictures_are_tried_with_what_serves_them():
    shipped = ("denoise", "denoise_gray", "photo", "jpeg_gray", "demosaic", "sr_x2", "deblur")
    gray = np.full((32, 32, 1), 128, np.uint8)
    single = [chain for chain in candidates(gray, (), shipped) if len(chain) == 1]
    assert single == [("denoise_gray",), ("photo",), ("jpeg_gray",), ("sr_x2",)]


def test_demonstrations_say_so(pictures, capsys):
    write_image("two/a.png", pictures[:32, :32])
    write_image("two/b.png", pictures[:32, :32])
    assert run("two", "-o", "out", "--task", "weather") == 0
    err = capsys.readouterr().err
    assert err.count("weather is a demonstration") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sigma", "5"), "--sigma needs a --task"),
        (("--strength", "1.5"), "--strength 1.5: allowed: 0 to 1"),
        (("--strength", "nan"), "--strength nan: allowed: 0 to 1"),
        (("--json",), "--json belongs to --diagnose"),
        (("--task", "auto+sr_x2"), "cannot be part of a chain"),
        (("--task", "jpeg+upscale"), "did you mean 'photo_x2'"),
        (("--task", "jpeg+sr_x2", "--weights", "net.pth"), "one network is needed here"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("in.png", "-o", "out", *arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def networks(tmp_path):
    save_weights(tmp_path / "net.pth", TINY_UNET)
    save_weights(tmp_path / "sr.pth", TINY_SR)
    return [Restorer(tmp_path / name, "cpu") for name in ("net.pth", "sr.pth")]


@each("dtype", [np.uint8, np.uint16, np.float32])
@each("channels", [1, 3, 4])
def test_strength_is_exact_at_its_ends_and_between(networks, dtype, channels):
    image = make_image((17, 21, channels), dtype)
    network = networks[0]
    whole = network.restore(image)
    np.testing.assert_array_equal(network.restore(image, strength=0), image)
    np.testing.assert_array_equal(network.restore(image, strength=1), whole)
    white = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    if channels == 4:
        # weak pixels are restored without the colors that they hide
        image[..., 3] = white
        whole = network.restore(image)
    half = network.restore(image, strength=0.5).astype(float)
    middle = (image.astype(float) + whole.astype(float)) / 2
    assert np.abs(half - middle).max() <= (0.51 if white > 1 else 1e-5)


def test_strength_of_tasks_that_change_the_size_begins_at_interpolation(networks):
    flat = np.full((12, 16, 3), 90, np.uint8)
    np.testing.assert_array_equal(networks[1].restore(flat, strength=0), np.full((24, 32, 3), 90))
    mosaic = Restorer(task="demosaic", device="cpu").restore(flat, strength=0)
    np.testing.assert_array_equal(mosaic, flat)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_other_strengths_are_refused(networks, strength):
    with pytest.raises(ValueError, match="allowed: 0 "):
        networks[0].restore(make_image((8, 8, 3)), strength=strength)


def test_a_chain_is_its_networks_in_order(networks):
    image = make_image((9, 11, 3))
    expected = networks[1].restore(networks[0].restore(image))
    told = []
    result = Chain(networks).restore(image, progress=told.append)
    np.testing.assert_array_equal(result, expected)
    assert Chain(networks).upscale == 2
    assert told == sorted(told)
    assert told[-1] == 1


def test_changes_are_told_as_they_are():
    image = np.full((4, 4, 3), 100, np.uint8)
    assert chain.change_in_words(image, image) == "nothing changed"
    assert "2.00 of 255 levels on average (42.1 dB" in chain.change_in_words(image, image + 2)
    barely = image.copy()
    barely[0, 0, 0] += 1
    assert "little to repair was found" in chain.change_in_words(image, barely)
