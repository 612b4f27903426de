"""What holds for images of every size, layout, depth and format, whatever the network."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.restorer import Restorer
from tests.helpers import make_visible
from tests.restoring.networks import save_plain

pytestmark = pytest.mark.usefixtures("plain")

SIDES = st.one_of(st.integers(1, 40), st.integers(1, 300))
CHANNELS = st.integers(1, 4)
DEPTHS = st.sampled_from([np.uint8, np.uint16])
TILES = st.sampled_from(["auto", None, 8, 24, 100])
relaxed = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@functools.cache
def restorer(folder, in_chans, upscale, tile, ensemble):
    """Networks are kept from one example to the next."""
    weights = save_plain(folder / f"{in_chans}-{upscale}.pth", in_chans=in_chans, upscale=upscale)
    return Restorer(weights, "cpu", tile=tile, ensemble=ensemble)


@relaxed
@given(
    height=SIDES,
    width=SIDES,
    channels=CHANNELS,
    depth=DEPTHS,
    in_chans=st.sampled_from([1, 3]),
    upscale=st.sampled_from([1, 1, 2, 3, 4]),
    tile=TILES,
    ensemble=st.booleans(),
)
@example(4000, 3000, 1, np.uint8, 1, 1, "auto", False)
@example(1999, 1501, 4, np.uint16, 3, 1, "auto", False)
@example(1, 4000, 4, np.uint8, 3, 2, 100, False)
@example(999, 1201, 4, np.uint8, 3, 2, 512, False)
@example(1, 1, 2, np.uint16, 3, 4, 8, True)
def test_a_network_that_repeats_pixels_repeats_them_exactly(
    folder, height, width, channels, depth, in_chans, upscale, tile, ensemble
):
    image = make_visible((height, width, channels), depth)
    before = image[::97, ::89].copy()
    result = restorer(folder, in_chans, upscale, tile, ensemble).restore(image)
    assert result.dtype == depth
    assert result.shape == (height * upscale, width * upscale, channels)
    colors = 1 if channels <= 2 else 3
    for row in range(upscale):
        part = result[row::upscale, upscale - 1 - row :: upscale]
        np.testing.assert_array_equal(part[..., :colors], image[..., :colors])
        if upscale == 1:
            np.testing.assert_array_equal(part, image)
    np.testing.assert_array_equal(image[::97, ::89], before)


@settings(relaxed, max_examples=25)
@given(
    height=SIDES,
    width=SIDES,
    channels=CHANNELS,
    depth=DEPTHS,
    suffix=st.sampled_from([".png", ".tif", ".webp", ".bmp", ".jpg"]),
    tile=st.sampled_from(["auto", "none", "24"]),
)
def test_a_file_comes_out_as_it_went_in(folder, height, width, channels, depth, suffix, tile):
    if depth == np.uint16 and suffix not in (".png", ".tif"):
        depth = np.uint8
    if channels in (2, 4) and suffix in (".bmp", ".jpg"):
        channels -= 1
    weights = save_plain(folder / "net.pth")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, target = Path(name, f"in{suffix}"), Path(name, f"out{suffix}")
        write_image(source, make_visible((height, width, channels), depth))
        arguments = [source, "-o", target, "--weights", weights, "--tile", tile, "--device", "cpu"]
        assert cli.main([str(argument) for argument in arguments]) == 0
        expected, result = load_image(source).pixels, load_image(target).pixels
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if suffix != ".jpg":
        np.testing.assert_array_equal(result, expected)
