"""Patches larger than the images are told when a training starts."""

from __future__ import annotations

import logging

import pytest

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.files.image_io import write_image
from semanir_arch.runs.batch_schedule import BatchSchedule, Stage
from semanir_arch.training.patch_check import compare_patch_with_images
from semanir_arch.utils.options import OptionError
from tests.helpers import make_image


class Foreign:
    """A data set in BasicSR's form."""

    def __init__(self, files):
        self.paths = [{"gt_path": str(file)} for file in files]

    def __len__(self):
        return len(self.paths)


@pytest.fixture
def files(tmp_path):
    made = [tmp_path / "images" / f"{side}.png" for side in (20, 30, 40)]
    for file in made:
        write_image(file, make_image((int(file.stem), 50, 3)))
    return made


def ours(files, patch_size):
    block = {"phase": "train", "dataroot_gt": str(files[0].parent), "patch_size": patch_size}
    return CleanImageDataset(block), block


def schedule(patch_size=None):
    return BatchSchedule((Stage(4, 1, patch_size),), 4, images=3)


@pytest.mark.parametrize(("side", "count"), [(20, 0), (21, 1), (40, 2), (51, 3)])
def test_the_number_of_smaller_images_and_the_smallest_are_told(files, caplog, side, count):
    dataset, block = ours(files, side)
    with caplog.at_level(logging.WARNING, "basicsr"):
        compare_patch_with_images(dataset, block, schedule())
    assert bool(caplog.records) == (count > 0)
    if count:
        assert f"received {side}, but {count} of 3 images looked at are smaller" in caplog.text
        assert "20.png with 50 x 20 pixels" in caplog.text


def test_the_largest_stage_counts(files, caplog):
    dataset, block = ours(files, 8)
    with caplog.at_level(logging.WARNING, "basicsr"):
        compare_patch_with_images(dataset, block, schedule(patch_size=31))
    assert "received 31, but 2 of 3" in caplog.text


def test_a_data_set_of_basicsr_would_fail_and_is_refused(files):
    with pytest.raises(OptionError, match="datasets:train:gt_size: received 24, but 1 of 3"):
        compare_patch_with_images(Foreign(files), {"gt_size": 24}, schedule())
    compare_patch_with_images(Foreign(files), {"gt_size": 20}, schedule())
