"""HEIC photos and camera raw files through the command and the page."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from semanir_arch.commands.restore import main
from semanir_arch.data.files.image_io import decode_image, load_image
from semanir_arch.restoring.chain import Chain
from semanir_arch.restoring.files import Settings, restore_file
from semanir_arch.restoring.jobs import Job
from semanir_arch.restoring.serve.codec import CodecProcess
from semanir_arch.restoring.serve.upload import check_size
from semanir_arch.utils.suffixes import HEIC_SUFFIXES, RAW_SUFFIXES
from tests.data.files.made import dng, heic, seen_through
from tests.helpers import ROOT, TINY_UNET, make_image, save_weights

pytest.importorskip("rawpy", reason="extra `formats`")
pytest.importorskip("pillow_heif", reason="extra `formats`")
pytest.importorskip("tifffile", reason="extra `train`")

SCENE = np.full((48, 64, 3), [0.1, 0.4, 0.2])
LEVELS = (1.055 * SCENE ** (1 / 2.4) - 0.055) * 65535


class Demosaicking:
    """In place of a network: it knows the picture, and keeps what it was given."""

    demosaics, upscale, task = True, 1, None
    weights, ensemble, precision, k = "none", False, "fp32", None

    def check_arguments(self, **given):
        self.given = given

    def restore(self, pixels, *, strength, progress, bayer):
        self.pixels, self.bayer = pixels, bayer
        return np.rint(LEVELS).astype(np.uint16)


def test_the_command_restores_them_and_writes_png(tmp_path, capsys):
    save_weights(tmp_path / "net.pth", TINY_UNET, identity=True)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.heic").write_bytes(heic(make_image((24, 20, 3))))
    (photos / "b.DNG").write_bytes(dng(seen_through(SCENE), orientation=6))
    (photos / "bad.heic").write_bytes(heic(make_image((24, 20, 3)))[:-40])
    (photos / "worse.dng").write_bytes(dng(seen_through(SCENE))[:-40])
    arguments = [photos, "-o", tmp_path / "out", "--weights", tmp_path / "net.pth"]
    assert main([str(argument) for argument in arguments]) == 1
    errors = capsys.readouterr().err
    for name in ("bad.heic", "worse.dng"):
        assert len(re.findall(rf"{name}: cannot be read as an image: .*", errors)) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]
    np.testing.assert_array_equal(
        load_image(tmp_path / "out/a.png").pixels, make_image((24, 20, 3))
    )
    raw = load_image(tmp_path / "out/b.png").pixels
    assert raw.shape == (64, 48, 3)
    np.testing.assert_allclose(raw[4:-4, 4:-4], np.full((56, 40, 3), LEVELS[0, 0]), atol=40)


@pytest.mark.parametrize("orientation", [1, 6])
def test_demosaicking_gets_the_mosaic_of_the_sensor(tmp_path, orientation):
    path = tmp_path / "a.dng"
    pattern = b"\2\1\1\0"
    values = seen_through(SCENE, pattern)
    path.write_bytes(dng(values, orientation=orientation, pattern=pattern))
    network = Demosaicking()
    chain = Chain([network])
    restore_file(Job(path, tmp_path / "a.png"), chain, Settings())
    assert network.bayer == "bggr"
    np.testing.assert_allclose(network.pixels[::2, ::2, 0], LEVELS[::2, ::2, 2], atol=40)
    np.testing.assert_allclose(network.pixels[1::2, 1::2, 0], LEVELS[::2, ::2, 0], atol=40)
    result = load_image(tmp_path / "a.png").pixels
    assert result.shape == ((48, 64, 3) if orientation == 1 else (64, 48, 3))
    np.testing.assert_allclose(result, np.broadcast_to(LEVELS[0, 0], result.shape), atol=40)
    with pytest.raises(ValueError, match=r"a\.dng: the camera's mosaic is bggr; leave out --bayer"):
        restore_file(Job(path, tmp_path / "b.png"), chain, Settings(bayer="rggb"))


def test_the_page_takes_them():
    codec = CodecProcess()
    try:
        for data, shape in (
            (heic(make_image((24, 20, 3))), (24, 20, 3)),
            (dng(seen_through(SCENE), orientation=6), (64, 48, 3)),
        ):
            assert check_size(data, "a", 1) == shape[:2]
            image = codec.decode(data, "a", threading.Event())
            np.testing.assert_array_equal(image.pixels, decode_image(data, "a").pixels)
            assert image.pixels.shape == shape
        with pytest.raises(ValueError, match=r"^a: cannot be read as an image: "):
            codec.decode(dng(seen_through(SCENE))[:-10], "a", threading.Event())
    finally:
        codec.close()


def test_the_pages_dialog_offers_them():
    page = Path(ROOT, "semanir_arch/restoring/serve/page_files/page.html").read_text()
    (accepted,) = re.findall(r'accept="([^"]*)"', page)
    assert {*HEIC_SUFFIXES, *RAW_SUFFIXES} <= {*accepted.split(",")}
