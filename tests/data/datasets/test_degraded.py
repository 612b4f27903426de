"""Data sets with declared damage: alignment of patches, grids of blocks, targets and scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.data import OldPhotographDataset, SecondOrderDataset, ShuffledDamageDataset
from semanir_arch.data.files.image_io import write_image
from tests.helpers import make_image

QUIET = {
    **{f"{name}{end}": 0 for name in ("blur_prob", "jpeg_prob") for end in ("", "2")},
    **{f"noise{end}": {"none": 1} for end in ("", "2")},
    **{f"resize{end}": {"keep": 1} for end in ("", "2")},
    "final_sinc_prob": 0,
    "resize_modes2": {"area": 1},
}


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path / "a.png", make_image((120, 130, 3)))
    return tmp_path


def build(owner, folder, phase="train", **options):
    return owner({"phase": phase, "dataroot_gt": str(folder), "patch_size": 24, **options})


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_input_and_target_show_the_same_place(folder, scale):
    dataset = build(SecondOrderDataset, folder, scale=scale, **QUIET)
    for seed in range(6):
        torch.manual_seed(seed)
        item = dataset[0]
        side = 24 // scale
        blocks = item["gt"].unflatten(1, (side, scale)).unflatten(3, (side, scale))
        # the mean over the pixels that one of the result's stands for
        expected = blocks.mean(dim=(2, 4))
        torch.testing.assert_close(item["lq"], expected, atol=0.52 / 255, rtol=0)


def test_blocks_of_compression_begin_anywhere_in_patches(tmp_path):
    rows, columns = np.mgrid[:120, :120]
    waves = (128 + 90 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    write_image(tmp_path / "a.png", np.repeat(waves[..., None], 3, 2))
    loud = {**QUIET, "jpeg_prob2": 1, "jpeg_quality2": 3, "use_hflip": False, "use_rot": False}
    dataset = build(SecondOrderDataset, tmp_path, **loud, patch_size=64)
    starts = set()
    for seed in range(24):
        torch.manual_seed(seed)
        steps = dataset[0]["lq"].diff(dim=2).abs().mean(dim=(0, 1))
        starts.add(int(steps[:56].unflatten(0, (7, 8)).mean(dim=0).argmax()))
    assert len(starts) >= 6


@pytest.mark.parametrize("owner", [SecondOrderDataset, ShuffledDamageDataset])
def test_whole_images_are_cut_to_a_multiple_of_the_scale(folder, owner):
    item = build(owner, folder, "val", scale=4)[0]
    assert item["gt"].shape == (3, 120, 128)
    assert item["lq"].shape == (3, 30, 32)


def test_old_photographs_without_colors_have_gray_targets(folder):
    for phase in ("train", "val"):
        item = build(OldPhotographDataset, folder, phase, tones={"gray": 1})[0]
        assert torch.equal(item["gt"][0], item["gt"][2])


@pytest.mark.parametrize(
    ("owner", "options", "message"),
    [
        (SecondOrderDataset, {"scale": 5}, "scale must be one of 1, 2, 3, 4, received 5"),
        (OldPhotographDataset, {"scale": 2}, "scale must be one of 1, received 2"),
        (SecondOrderDataset, {"scale": 2, "patch_size": 25}, "patch_size must be a multiple of 2"),
        (SecondOrderDataset, {"kernels": {"isotropic": 1}}, "kernels: 'isotropic' is unknown"),
        (SecondOrderDataset, {"jpeg_quality2": 0}, r"jpeg_quality2 must lie in \[1, 100\]"),
    ],
)
def test_bad_options_are_refused(folder, owner, options, message):
    with pytest.raises(ValueError, match=message):
        build(owner, folder, **options)
