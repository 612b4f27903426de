from __future__ import annotations

import html
import re

import numpy as np
import pytest
import torch

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.explain.explanation import explain
from semanir_arch.restoring.explain.heat import PALETTE
from semanir_arch.restoring.explain.output_files import explain_file, read_pixel
from semanir_arch.restoring.explain.semantics import key_semantics
from tests.each import each
from tests.helpers import TINY, TINY_SR, TINY_UNET, make_image


def test_page_and_picture_are_written_beside_each_other(make_restorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", make_image((20, 30, 3)))
    page, picture = explain_file(make_restorer(), tmp_path / "photo.png", (3, 4))
    assert (page.name, picture.name) == ("photo_explain.html", "photo_explain.png")
    assert "Where the pixels of photo.png look" in page.read_text()
    assert load_image(picture).pixels.shape[2] == 3
    with pytest.raises(ValueError, match=r"photo_explain\.html exists; --overwrite replaces it"):
        explain_file(make_restorer(), tmp_path / "photo.png", (3, 4))
    before = page.read_text()
    explain_file(make_restorer(), tmp_path / "photo.png", (5, 4), overwrite=True)
    assert page.read_text() != before


def test_a_folder_gets_page_and_picture(make_restorer, tmp_path):
    write_image(tmp_path / "photo.png", make_image((20, 30, 3)))
    (tmp_path / "out").mkdir()
    written = explain_file(make_restorer(), tmp_path / "photo.png", (3, 4), tmp_path / "out")
    assert set(written) == set((tmp_path / "out").iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_photo_is_never_replaced(make_restorer, tmp_path, overwrite):
    photo = tmp_path / "photo.png"
    write_image(photo, make_image((20, 30, 3)))
    before = photo.read_bytes()
    page = tmp_path / "photo.html"
    with pytest.raises(ValueError, match="would overwrite the photo"):
        explain_file(make_restorer(), photo, (3, 4), page, overwrite=overwrite)
    assert (photo.read_bytes(), page.exists()) == (before, False)


def test_mosaics_of_other_phases_are_refused(make_restorer, tmp_path):
    with pytest.raises(ValueError, match="bayer='bggr': --explain shows mosaics of phase rggb"):
        explain_file(make_restorer(), tmp_path / "photo.png", (3, 4), bayer="bggr")


def test_a_phase_is_refused_where_the_network_sees_no_mosaic(make_restorer, tmp_path):
    with pytest.raises(ValueError, match="bayer='rggb': only for task 'demosaic'"):
        explain_file(make_restorer(), tmp_path / "photo.png", (3, 4), bayer="rggb")


def test_the_page_asks_for_nothing_from_outside(make_restorer, tmp_path):
    page, _ = explain(make_restorer(), make_image((9, 9, 3)), (0, 0), "<&.png", tmp_path / "a.png")
    assert not re.findall(r"""(?:src|href)\s*=(?!\s*["'`]data:)""", page)
    assert "url(" not in page
    assert "&lt;&amp;.png" in page
    assert "default-src &#39;none&#39;" in page


@each("shape", [(1, 1), (3, 40, 1), (30, 5, 3), (17, 23, 4), (9, 9, 2)])
@each("dtype", [np.uint8, np.uint16])
@each("options", [TINY_UNET, TINY_SR, TINY_SR | {"in_chans": 1}])
def test_every_size_layout_and_network_is_drawn(make_restorer, tmp_path, shape, dtype, options):
    image = make_image(shape, dtype)
    pixel = (shape[1] - 1, shape[0] - 1)
    page, picture = explain(make_restorer(options), image, pixel, "photo", tmp_path / "a.png")
    assert len(picture.shape) == 3
    channelwise = options.get("in_chans") == 1 and len(shape) == 3 and shape[2] >= 3
    assert ("one by one; this is the green one" in page) == channelwise


def test_a_mosaic_is_what_a_demosaicking_network_sees(make_restorer, tmp_path):
    restorer = make_restorer(TINY_UNET, task="demosaic")
    page, _ = explain(restorer, make_image((12, 12, 3)), (3, 3), "photo", tmp_path / "a.png")
    assert "The network saw the photo as a Bayer mosaic (rggb)." in page


def test_the_picture_paints_the_kept_keys_alone(make_restorer, tmp_path):
    """On a black photo, a color of the palette shows where a key is."""
    restorer = make_restorer(TINY_UNET)
    photo = np.zeros((8, 8, 3), np.uint8)
    _, picture = explain(restorer, photo, (5, 6), "photo", tmp_path / "a.png")
    (stage,) = key_semantics(restorer.network, torch.zeros(1, 3, 8, 8), torch.tensor([[6, 5]]))
    region = stage.region(0)
    left, top, side = 16 + 560 + 16, 16 + 16 + 14, 240
    panel = picture[top : top + side, left : left + side]
    # the window of 4 x 4 tokens at (4, 4), and a margin of one
    token = side / 5
    painted = np.zeros((4, 4), bool)
    for y in range(4):
        for x in range(4):
            center = panel[int((y + 1.5) * token), int((x + 1.5) * token)]
            painted[y, x] = center.any()
    assert PALETTE.any(axis=-1).all()
    np.testing.assert_array_equal(painted, region.kept)


def test_a_large_photo_is_explained_around_the_pixel(make_restorer, tmp_path):
    photo = np.zeros((1100, 1000, 1), np.uint8)
    page, _ = explain(make_restorer(TINY_UNET), photo, (999, 1099), "p", tmp_path / "a.png")
    part = "Shown is a part of 512 x 512 pixels of the photo's 1000 x 1100"
    assert part in html.unescape(page)
    assert len(page) < 10 * 2**20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pixel": (30, 0)}, "pixel 30,0 lies outside the image of 30 x 20 pixels; allowed: 0,0"),
        ({"page": "a.png"}, r"-o .*a\.png: the name must end in \.html"),
        ({"page": "nowhere/a.html"}, r"no such folder, .*nowhere"),
        ({"source": "other.png"}, r"other\.png: no such file"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(make_restorer, tmp_path, arguments, message):
    write_image(tmp_path / "photo.png", make_image((20, 30, 3)))
    source = tmp_path / arguments.get("source", "photo.png")
    page = tmp_path / arguments.get("page", "a.html")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        explain_file(make_restorer(), source, arguments.get("pixel", (1, 1)), page)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth", "photo.png"]


def test_networks_without_a_dictionary_are_named(make_restorer, tmp_path):
    restorer = make_restorer({"type": "Restormer", **TINY["Restormer"]})
    with pytest.raises(ValueError, match="Restormer has no key-semantic dictionary to explain"):
        explain(restorer, make_image((8, 8, 3)), (0, 0), "photo", tmp_path / "a.png")


def test_the_command_writes_both_files_and_says_so(make_restorer, tmp_path, capsys):
    make_restorer()
    write_image(tmp_path / "photo.png", make_image((20, 30, 3)))
    photo, weights, page = (str(tmp_path / name) for name in ("photo.png", "net.pth", "a.html"))
    arguments = ["--explain", "3,4", "--weights", weights, "-o", page, "--device", "cpu"]
    assert cli.main([photo, *arguments]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{page} (the same as a picture: {page[:-5]}.png)\n", "")
    assert cli.main([photo, *arguments]) == 2
    assert capsys.readouterr().err == f"semanir-restore: {page} exists; --overwrite replaces it\n"


@pytest.mark.parametrize(("text", "pixel"), [("3,4", (3, 4)), (" 10 , 0 ", (10, 0))])
def test_pixels_are_read(text, pixel):
    assert read_pixel(text) == pixel


@pytest.mark.parametrize("text", ["", "3", "3,4,5", "-1,2", "a,b", "1.5,2"])
def test_what_is_no_pixel_is_refused(text):
    with pytest.raises(ValueError, match="allowed: X,Y"):
        read_pixel(text)
