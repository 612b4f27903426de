"""Compression, demosaicking and super-resolution: a patch is what a crop of the whole would be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.data import BicubicSRDataset, DemosaickingDataset, JpegCompressionDataset
from semanir_arch.data.datasets.transforms import Orientation, orient
from semanir_arch.data.degradations.bayer import PHASES, demosaic_linear, mosaic, pack
from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.data.degradations.matlab_resize import matlab_resize
from semanir_arch.data.files.image_io import load_image, to_float, write_image
from tests.helpers import make_image

ORIENTATIONS = [Orientation(bool(n & 1), bool(n & 2), bool(n & 4)) for n in range(8)]


@pytest.fixture
def photo(tmp_path):
    """An image in which every patch occurs once."""
    coarse = make_image((13, 14, 3), np.float64).repeat(6, 0).repeat(6, 1)
    pixels = (coarse * 200 + make_image(coarse.shape, np.float64, 1) * 55).astype(np.uint8)
    write_image(tmp_path / "photo.png", pixels)
    return tmp_path, pixels


def places(patch, whole):
    """Top, left and orientation of every place in `whole` where `patch` (C, S, S) occurs."""
    size = patch.shape[-1]
    for orientation in ORIENTATIONS:
        turned = orient(whole, orientation).transpose(2, 0, 1)
        windows = np.lib.stride_tricks.sliding_window_view(turned, (size, size), axis=(1, 2))
        # one pixel tells most places apart
        for top, left in np.argwhere((windows[:, :, :, 0, 0] == patch[:, None, None, 0, 0]).all(0)):
            if np.array_equal(windows[:, top, left], patch):
                yield int(top), int(left), orientation


def crop_like(item, whole, degraded, scale=1):
    """The crop of a degraded image that belongs to the clean patch of an item."""
    gt = (item["gt"].numpy() * 255).round().astype(np.uint8)
    top, left, orientation = next(places(gt, whole))
    side = gt.shape[-1] // scale
    turned = orient(degraded, orientation)[top // scale :, left // scale :][:side, :side]
    return torch.from_numpy(np.ascontiguousarray(to_float(turned).transpose(2, 0, 1)))


@pytest.mark.parametrize("chroma", ["4:2:0", "4:4:4"])
def test_images_are_compressed_before_they_are_cropped(photo, chroma):
    folder, pixels = photo
    opt = {"phase": "train", "dataroot_gt": str(folder), "patch_size": 19, "quality": 15}
    dataset = JpegCompressionDataset({**opt, "chroma": chroma})
    whole = compress_jpeg(pixels, 15, chroma=chroma)
    for _ in range(25):
        item = dataset[0]
        assert torch.equal(item["lq"], crop_like(item, pixels, whole))


def test_gray_is_compressed_as_gray(photo):
    folder, _ = photo
    opt = {"phase": "val", "dataroot_gt": str(folder), "quality": 15, "channels": 1}
    item = JpegCompressionDataset(opt)[0]
    gray = (item["gt"].numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0)
    expected = to_float(compress_jpeg(gray, 15)).transpose(2, 0, 1)
    np.testing.assert_array_equal(item["lq"].numpy(), expected)


def test_quality_is_drawn_anew_for_each_item(photo):
    folder, pixels = photo
    opt = {"phase": "train", "dataroot_gt": str(folder), "patch_size": 78, "use_rot": False}
    dataset = JpegCompressionDataset({**opt, "quality": [10, 12], "use_hflip": False})
    wholes = {quality: compress_jpeg(pixels, quality) for quality in (10, 11, 12)}
    seen = set()
    for _ in range(40):
        item = dataset[0]
        seen |= {
            quality
            for quality, whole in wholes.items()
            if torch.equal(item["lq"], crop_like(item, pixels, whole))
        }
    assert seen == {10, 11, 12}


def test_16_bit_images_are_compressed_in_8_bits(tmp_path):
    write_image(tmp_path / "deep.png", make_image((20, 20, 3), np.uint16))
    opt = {"phase": "val", "dataroot_gt": str(tmp_path), "quality": 80}
    item = JpegCompressionDataset(opt)[0]
    eight = np.rint(load_image(tmp_path / "deep.png").pixels / 257).astype(np.uint8)
    expected = to_float(compress_jpeg(eight, 80)).transpose(2, 0, 1)
    np.testing.assert_array_equal(item["lq"].numpy(), expected)
    assert (item["gt"] * 255 != (item["gt"] * 255).round()).any(), "the target keeps its 16 bits"


@pytest.mark.parametrize("bayer", PHASES)
def test_every_patch_has_the_phase_asked_for(photo, bayer):
    folder, _ = photo
    opt = {"phase": "train", "dataroot_gt": str(folder), "patch_size": 10, "bayer": bayer}
    for kind in ("mosaic", "packed", "linear"):
        dataset = DemosaickingDataset({**opt, "input": kind})
        for _ in range(10):
            item = dataset[0]
            plane = mosaic(item["gt"], bayer)
            if kind == "linear":
                # recorded values stay as they are
                recorded = torch.zeros(3, 10, 10, dtype=torch.bool)
                for channel in range(3):
                    only = torch.zeros(3, 10, 10)
                    only[channel] = 1
                    recorded[channel] = mosaic(only, bayer)[0] == 1
                assert torch.equal(item["lq"][recorded], item["gt"][recorded])
            else:
                expected = plane if kind == "mosaic" else pack(plane, bayer)
                assert torch.equal(item["lq"], expected)


def test_interpolation_knows_the_surroundings_of_a_patch(photo):
    """In one orientation, the patch is a crop of the interpolated image where phases agree."""
    folder, pixels = photo
    opt = {"phase": "train", "dataroot_gt": str(folder), "patch_size": 12}
    dataset = DemosaickingDataset({**opt, "use_hflip": False, "use_rot": False})
    gt = torch.from_numpy(to_float(pixels).transpose(2, 0, 1).copy())
    whole = demosaic_linear(mosaic(gt)).clamp(0, 1)
    compared = 0
    for _ in range(60):
        item = dataset[0]
        top, left, _ = next(places((item["gt"].numpy() * 255).round().astype(np.uint8), pixels))
        if top % 2 == left % 2 == 0:
            expected = whole[:, top : top + 12, left : left + 12]
            torch.testing.assert_close(item["lq"], expected, rtol=0, atol=1e-6)
            compared += 1
    assert compared > 5


def test_test_images_are_cut_to_multiples(photo):
    folder, _ = photo
    opt = {"phase": "val", "dataroot_gt": str(folder), "modulo": 8, "input": "packed"}
    item = DemosaickingDataset(opt)[0]
    assert item["gt"].shape == (3, 72, 80)
    assert item["lq"].shape == (4, 36, 40)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_low_resolution_patch_is_a_crop_of_the_reduced_image(photo, scale):
    folder, pixels = photo
    size = 24
    opt = {"phase": "train", "dataroot_gt": str(folder), "patch_size": size, "scale": scale}
    dataset = BicubicSRDataset(opt)
    height, width = (length // scale * scale for length in pixels.shape[:2])
    pixels = pixels[:height, :width]
    reduced = matlab_resize(pixels, 1 / scale)
    for _ in range(25):
        item = dataset[0]
        assert torch.equal(item["lq"], crop_like(item, pixels, reduced, scale))


def test_rounding_once_differs_a_little(photo):
    folder, pixels = photo
    opt = {"phase": "val", "dataroot_gt": str(folder), "scale": 2}
    each, once = (BicubicSRDataset({**opt, "rounding": r})[0]["lq"] for r in ("each_pass", "once"))
    exact = matlab_resize(pixels[:78, :84] / 255, 1 / 2).clip(0, 1)
    np.testing.assert_array_equal(
        (once.numpy() * 255).round(), np.rint(exact.transpose(2, 0, 1) * 255)
    )
    assert 0 < (each - once).abs().max() * 255 < 2.5
