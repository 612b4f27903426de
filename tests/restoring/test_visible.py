"""Whatever is hidden under transparent pixels, no visible one changes."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from semanir_arch.commands import restore as cli
from semanir_arch.restoring.pixels import split
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.visible import with_visible_colors
from semanir_arch.weights import available
from tests.each import each

WHITE = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}
ROWS, COLUMNS = np.mgrid[:64, :64]
DISTANCE = np.hypot(ROWS - 32, COLUMNS - 32)
EDGES = {
    "hard": (DISTANCE < 20) * 1.0,
    "soft": np.clip(20 - DISTANCE, 0, 1),
    "weak": np.maximum((DISTANCE < 20) * 1.0, 6 / 255),
}


def disc(edge, hidden, dtype, channels=3):
    """A white disc; what is hardly visible around it has colors that are not white."""
    alpha = EDGES[edge]
    noise = np.random.default_rng(0).random((*alpha.shape, channels))
    around = noise if hidden == "noise" else np.zeros_like(noise)
    color = np.where(alpha[..., None] > 6 / 255, 1.0, around)
    pixels = np.dstack([color, alpha]) * WHITE[dtype]
    return np.rint(pixels).astype(dtype) if dtype != np.float32 else pixels.astype(dtype)


def darkest_on_white(pixels):
    """Laid on white, on the 0-255 scale."""
    shares = pixels.astype(np.float64) / WHITE[pixels.dtype.type]
    color, alpha = shares[..., :-1], shares[..., -1:]
    return 255 * (color * alpha + 1 - alpha).min()


@each("task", [one.task.name for one in available()])
def test_no_task_darkens_the_edge_of_a_white_disc(task):
    restorer = Restorer(task=task, device="cpu")
    cases = [("hard", "black", np.uint8)]
    # the shipped sr_x4 makes an opaque white image of this size as dark as 211 at places
    cases += [("weak", "noise", np.uint16)] * (task != "sr_x4")
    cases += [("soft", "noise", np.float32)] * (task in ("denoise", "sr_x2"))
    for edge, hidden, dtype in cases:
        restored = restorer.restore(disc(edge, hidden, dtype))
        assert darkest_on_white(restored) >= 249, (edge, hidden, dtype)


def test_tiles_and_gray_do_not_matter():
    restorer = Restorer(task="denoise_gray", device="cpu", tile=32, overlap=8)
    assert darkest_on_white(restorer.restore(disc("hard", "noise", np.uint8, 1))) >= 249


def test_the_command_keeps_edges_clean(tmp_path):
    PIL.Image.fromarray(disc("hard", "black", np.uint8)).save(tmp_path / "disc.png")
    code = cli.main([str(tmp_path / "disc.png"), "-o", str(tmp_path / "out"), "--task", "sr_x2"])
    assert code == 0
    restored = np.asarray(PIL.Image.open(tmp_path / "out/disc.png"))
    assert restored.shape == (128, 128, 4)
    assert darkest_on_white(restored) >= 249


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_visible_stays_bit_by_bit(dtype, channels):
    pixels = disc("soft", "noise", dtype, channels)
    generator = np.random.default_rng(1)
    pixels[..., :-1] = (generator.random(pixels[..., :-1].shape) * WHITE[dtype]).astype(dtype)
    given = pixels.copy()
    filled = with_visible_colors(split(pixels)).layers
    np.testing.assert_array_equal(pixels, given)
    np.testing.assert_array_equal(filled[..., -1], pixels[..., -1])
    visible = pixels[..., -1] > WHITE[dtype] / 4
    np.testing.assert_array_equal(filled[visible], pixels[visible])
    # hidden ones become means of visible ones, which differ less from each other
    hidden = pixels[..., -1] == 0
    assert filled[hidden][..., :-1].std() < 0.7 * pixels[hidden][..., :-1].std()


def test_a_shadow_and_a_faint_picture_keep_their_colours():
    alpha = np.clip((40 - DISTANCE) / 40, 0.1, 0.6)
    shadow = np.dstack([np.zeros((64, 64, 3)), alpha]).astype(np.float32)
    np.testing.assert_array_equal(with_visible_colors(split(shadow)).layers, shadow)
    faint = np.random.default_rng(0).random((64, 64, 4)).astype(np.float32)
    faint[..., 3] = 0.05
    assert with_visible_colors(split(faint)).layers is not None
    np.testing.assert_array_equal(with_visible_colors(split(faint)).layers, faint)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (300, 5), (33, 65)])
def test_any_size_and_any_opacity_will_do(shape):
    generator = np.random.default_rng(0)
    for share in (0.0, 0.3, 1.0):
        pixels = generator.integers(0, 256, (*shape, 4), dtype=np.uint8)
        pixels[..., 3] = 255 * (generator.random(shape) < share)
        filled = with_visible_colors(split(pixels)).layers
        visible = pixels[..., 3] > 0
        np.testing.assert_array_equal(filled[visible], pixels[visible])
        if share == 0:
            np.testing.assert_array_equal(filled, pixels)


def test_colours_come_from_nearby():
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :20] = (255, 0, 0, 255)
    pixels[:, 44:] = (0, 0, 255, 255)
    filled = with_visible_colors(split(pixels)).layers.astype(int)
    assert (filled[:, 20:24, 0] > 220).all()
    assert (filled[:, 40:44, 2] > 220).all()
    assert (filled[..., 1] == 0).all()
