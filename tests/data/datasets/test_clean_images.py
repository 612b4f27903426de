"""What all data sets promise that degrade clean images themselves."""

from __future__ import annotations

import inspect
import multiprocessing

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from semanir_arch.data import DATASETS
from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.datasets.degraded import DEGRADED
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.sources.lmdb_store import LmdbWriter
from tests.each import each
from tests.helpers import make_image

NEEDED = {
    "GaussianDenoisingDataset": {"sigma": 25},
    "JpegCompressionDataset": {"quality": 20},
    "BicubicSRDataset": {"scale": 2},
    # enough for small patches to be hit
    "SyntheticRaindropsDataset": {"amount": 60},
    # always some damage, and sources of their own size
    "PhotographDataset": {
        "mixture": {"correlated": 1},
        "sources": {"soft_prob": 0, "other": 1},
        "correlated": {"resize_prob": 0, "again_prob": 0},
    },
    # sharp pictures stay as they are
    "PhotographicBlurDataset": {"blur": {"both": 1}},
}
CLEAN = sorted(
    name
    for name, entry in DATASETS.items()
    if inspect.isclass(entry) and issubclass(entry, CleanImageDataset)
)
DETERMINISTIC = {"BicubicSRDataset", "DemosaickingDataset", "JpegCompressionDataset"}
COLOR_ONLY = {"DemosaickingDataset", "PhotographDataset"}
SHRINKING = {"BicubicSRDataset": 2}


@pytest.fixture
def folder(tmp_path):
    """Two photographs, one of 8 bits and one of 16, with detail of every size."""
    for number, dtype in enumerate((np.uint8, np.uint16)):
        coarse = make_image((6, 7, 3), np.float64, seed=number)
        image = 0.7 * coarse.repeat(10, 0).repeat(8, 1) + 0.3 * make_image((60, 56, 3), np.float64)
        write_image(
            tmp_path / "photos" / f"{number}.png", (image * np.iinfo(dtype).max).astype(dtype)
        )
    return tmp_path / "photos"


def build(name, root, phase="train", **options):
    defaults = {"phase": phase, "dataroot_gt": str(root), "patch_size": 24}
    return DATASETS[name]({**defaults, **NEEDED.get(name, {}), **options})


def test_every_data_set_of_a_damage_is_here():
    assert {kind.__name__ for kind in DEGRADED} < set(CLEAN)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("channels", [1, 3])
def test_training_items_are_patches(name, folder, channels):
    if channels == 1 and name in COLOR_ONLY:
        pytest.skip("color by definition")
    dataset = build(name, folder, channels=channels)
    assert len(dataset) == 2
    for index in range(2):
        item = dataset[index]
        side = 24 // SHRINKING.get(name, 1)
        assert item["gt"].shape == (channels, 24, 24)
        assert item["lq"].shape == (channels, side, side)
        for key in ("lq", "gt"):
            assert item[key].dtype == torch.float32
            assert item[key].is_contiguous()
        assert 0 <= item["gt"].min() <= item["gt"].max() <= 1
        assert item["gt_path"] == item["lq_path"] == str(folder / f"{index}.png")
        if name not in SHRINKING:
            assert not torch.equal(item["lq"], item["gt"])


@each("name", CLEAN)
def test_a_seed_reproduces_an_item_and_another_does_not(name, folder):
    dataset = build(name, folder)
    items = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        items.append(dataset[0])
    assert torch.equal(items[0]["lq"], items[1]["lq"])
    assert torch.equal(items[0]["gt"], items[1]["gt"])
    assert not torch.equal(items[0]["lq"], items[2]["lq"])


@each("name", CLEAN)
def test_test_items_are_whole_images_and_the_same_each_time(name, folder):
    dataset = build(name, folder, "val")
    torch.manual_seed(1)
    first = dataset[0]
    torch.manual_seed(2)
    second = dataset[0]
    assert first["gt"].shape == (3, 60, 56)
    assert first["lq"].shape[-1] == 56 // SHRINKING.get(name, 1)
    assert torch.equal(first["lq"], second["lq"])


@each("name", sorted(set(CLEAN) - DETERMINISTIC - {"GaussianDenoisingDataset"}))
def test_the_name_decides_the_degradation_of_a_test_image(name, tmp_path):
    for path in ("a/x.png", "b/x.png", "b/0.png"):
        write_image(tmp_path / path, make_image((40, 40, 3)))
    alone, among = (build(name, tmp_path / root, "test") for root in ("a", "b"))
    assert torch.equal(alone[0]["lq"], among[1]["lq"])
    assert not torch.equal(among[0]["lq"], among[1]["lq"])


@each("name", CLEAN)
def test_the_patch_may_grow_while_training(name, folder):
    dataset = build(name, folder)
    dataset.patch_size = 32
    assert dataset[0]["gt"].shape == (3, 32, 32)
    dataset.patch_size = 0
    with pytest.raises(ValueError, match=r"patch_size must be .* received 0"):
        dataset[0]


@each("name", CLEAN)
def test_images_smaller_than_the_patch_are_extended(name, tmp_path):
    for number, size in enumerate([(1, 1, 3), (10, 70, 3)]):
        write_image(tmp_path / f"{number}.png", make_image(size))
    dataset = build(name, tmp_path, patch_size=40)
    assert dataset[0]["gt"].shape == dataset[1]["gt"].shape == (3, 40, 40)


@pytest.mark.parametrize("name", CLEAN)
def test_an_lmdb_gives_the_items_of_the_folder(name, folder):
    with LmdbWriter(folder.parent / "set.lmdb") as writer:
        for number in range(2):
            writer.put(str(number), load_image(folder / f"{number}.png").pixels)
    for root in (folder, folder.parent / "set.lmdb"):
        dataset = build(name, root)
        torch.manual_seed(3)
        items = [dataset[1] for _ in range(2)]
        if root == folder:
            expected = items
    for item, other in zip(items, expected, strict=True):
        assert torch.equal(item["lq"], other["lq"])
        assert torch.equal(item["gt"], other["gt"])


def test_spawned_workers_read_what_the_main_process_reads(folder):
    dataset = build("GaussianDenoisingDataset", folder, "val")
    context = multiprocessing.get_context("spawn")
    loader = DataLoader(dataset, num_workers=1, multiprocessing_context=context)
    for item, expected in zip(loader, dataset, strict=True):
        assert torch.equal(item["lq"][0], expected["lq"])


@pytest.mark.parametrize("options", [{"cache": True}, {"check_files": True}])
def test_bad_files_are_reported_at_the_start(folder, options):
    (folder / "0.png").write_bytes(b"nothing")
    (folder / "broken.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"(?s)dataroot_gt: 2 of 3 .*0\.png: .*broken\.jpg: "):
        build("JpegCompressionDataset", folder, **options)


@each(
    "name, options, message",
    [
        ("JpegCompressionDataset", {"quality": [0, 50]}, r"quality must lie in \[1, 100\]"),
        ("JpegCompressionDataset", {"quality": 40.5}, "quality must be whole, received 40.5"),
        (
            "JpegCompressionDataset",
            {"quality": [10, 50], "phase": "val"},
            "quality must be a number outside training",
        ),
        ("JpegCompressionDataset", {"chroma": "4:2:2"}, "chroma must be one of '4:2:0', '4:4:4'"),
        ("JpegCompressionDataset", {"encoder": "matlab"}, "encoder must be one of 'opencv', "),
        ("DemosaickingDataset", {"channels": 1}, "channels must be one of 3, received 1"),
        ("DemosaickingDataset", {"bayer": "RGGB"}, "bayer must be one of 'rggb', .* 'RGGB'"),
        ("DemosaickingDataset", {"input": "raw"}, "input must be one of 'linear', 'mosaic', "),
        ("DemosaickingDataset", {"modulo": 5}, "modulo must be even, 2 or more, received 5"),
        ("DemosaickingDataset", {"input": "packed", "patch_size": 23}, "a multiple of 2"),
        ("BicubicSRDataset", {"scale": 1}, "scale must be an integer of 2 or more, received 1"),
        ("BicubicSRDataset", {"scale": 3, "patch_size": 32}, "a multiple of 3, received 32"),
        ("BicubicSRDataset", {"rounding": "never"}, "rounding must be one of 'each_pass', 'once'"),
        ("PhotographDataset", {"channels": 1}, "channels must be 3: .*color only"),
        (
            "PhotographDataset",
            {"mixture": {"film": 1}},
            "mixture: 'film' is unknown",
        ),
        ("PhotographDataset", {"mixture": {"clean": 0}}, "mixture: one share must be above 0"),
        (
            "PhotographDataset",
            {"mixture": {"clean": -1}},
            "mixture: the share of clean must",
        ),
        ("PhotographDataset", {"camera": {"gian": 1}}, "camera:gian is unknown; did you mean"),
        ("PhotographDataset", {"sources": {"enlarge": 9}}, r"sources:enlarge must lie in \[1, 8\]"),
        ("SyntheticRainDataset", {"angle": [-90, 0]}, r"angle must lie in \[-60, 60\]"),
        ("SyntheticSnowDataset", {"size": "big"}, "size must be a number, a range"),
        ("SyntheticDefocusDataset", {"radius": 40}, r"radius must lie in \[0, 32\]"),
        ("SyntheticLowLightDataset", {"exposure": 0}, r"exposure must lie in \[0.001, 1\]"),
    ],
)
def test_bad_options_are_refused(folder, name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, folder, **options)
