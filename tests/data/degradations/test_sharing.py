"""Resizing and compression: grids of blocks where they should be, and sizes."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.degradations.codecs import Codec, compress, compress_webp, to_8_bit
from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.sharing import (
    NOTHING,
    SETTINGS,
    Again,
    Sharing,
    draw_sharing,
    share,
)
from tests.data.degradations.statistics_of_noise import blockiness, luma_and_chroma

LOW, HIGH = Codec("jpeg", 12), Codec("jpeg", 98, "4:4:4")


def rng(seed=0):
    return np.random.default_rng(seed)


def picture(height=160, width=176):
    """Slow changes, in which blocks stand out."""
    rows, columns = np.mgrid[:height, :width] / 40
    waves = [np.sin(rows * a + columns * b) for a, b in ((1, 0.7), (0.6, 1.1), (1.3, -0.4))]
    return (0.5 + 0.3 * np.stack(waves, -1) + 0.02 * rng().random((height, width, 3))).astype(
        np.float32
    )


def peaks(image):
    luma = luma_and_chroma(image)[0]
    return tuple(int(blockiness(luma, axis).argmax()) for axis in (0, 1))


def test_blocks_begin_at_the_first_pixel():
    image = share(picture(), Sharing(codec=LOW))
    assert peaks(image) == (0, 0)
    assert blockiness(luma_and_chroma(image)[0], 1)[0] > 1.5
    assert blockiness(luma_and_chroma(share(picture(), NOTHING))[0], 1).max() < 1.2


@pytest.mark.parametrize("shift", [(3, 5), (1, 7), (0, 0)])
def test_a_second_file_has_another_grid(shift):
    image = share(picture(), Sharing(codec=LOW, again=Again(shift, 1.0, HIGH)))
    assert peaks(image) == tuple(-step % 8 for step in shift)
    assert image.shape == (160 - shift[0], 176 - shift[1], 3)


def test_a_second_file_of_low_quality_brings_its_own_grid():
    image = share(picture(), Sharing(codec=HIGH, again=Again((3, 5), 1.0, LOW)))
    assert peaks(image) == (0, 0)


def test_the_target_is_cut_and_resized_but_not_compressed():
    sharing = Sharing(0.8, "area", LOW, Again((3, 5), 1.2, LOW))
    damaged = share(picture(), sharing)
    target = share(picture(), sharing, is_lossy=False)
    assert damaged.shape == target.shape == (150, 163, 3)
    uncompressed = share(picture(), Sharing(0.8, "area", None, Again((3, 5), 1.2, HIGH)))
    assert np.abs(target - uncompressed).mean() < 0.2 * np.abs(target - damaged).mean()


def test_sharing_is_drawn_in_the_shares_declared():
    settings = parse_settings(SETTINGS, {})
    drawn = [draw_sharing(settings, rng(seed)) for seed in range(600)]
    files = [entry.codec for entry in drawn if entry.codec]
    shares = {
        "codec_prob": len(files) / 600,
        "resize_prob": np.mean([entry.scale != 1 for entry in drawn]),
        "again_prob": np.mean([entry.again is not None for entry in drawn]),
        "webp_prob": np.mean([file.name == "webp" for file in files]),
        "full_chroma_prob": np.mean([file.chroma == "4:4:4" for file in files]),
        "low_prob": np.mean([file.quality < 80 for file in files]),
    }
    for name, measured in shares.items():
        assert measured == pytest.approx(SETTINGS[name].default, abs=0.07), name
    assert {file.quality for file in files} <= set(range(45, 100))


def test_webp_is_what_pillow_reads():
    pixels = to_8_bit(picture())
    ours = compress_webp(pixels, 40)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "WEBP", quality=40)
    theirs = np.asarray(PIL.Image.open(buffer).convert("RGB")).astype(float)
    damage = [np.abs(image - pixels).mean() for image in (ours.astype(float), theirs)]
    assert damage[0] == pytest.approx(damage[1], rel=0.25)
    assert np.abs(ours - theirs).mean() < damage[1]
    assert np.abs(compress_webp(pixels, 95).astype(float) - pixels).mean() < 0.8 * damage[0]


@pytest.mark.parametrize("quality", [0, 101])
@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_a_quality_out_of_range_is_refused(name, quality):
    with pytest.raises(ValueError, match=f"quality.*received {quality}"):
        compress(to_8_bit(picture()), Codec(name, quality))


def test_an_unknown_codec_is_refused():
    with pytest.raises(ValueError, match="jpeg, webp, received 'gif'"):
        compress(to_8_bit(picture()), Codec("gif", 50))
