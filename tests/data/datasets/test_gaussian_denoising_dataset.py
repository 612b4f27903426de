from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from semanir_arch.data import DATASETS, GaussianDenoisingDataset
from semanir_arch.data.files.image_io import write_image
from semanir_arch.metrics import psnr
from tests.each import each
from tests.helpers import ROOT, make_image

CBSD68 = ROOT / "datasets" / "test" / "CBSD68"


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        write_image(tmp_path / f"{number}.png", make_image((24, 20, 3), seed=number))
    return tmp_path


def training_set(folder, **options):
    defaults = {"phase": "train", "dataroot_gt": str(folder), "sigma": 25, "patch_size": 16}
    return GaussianDenoisingDataset({**defaults, **options})


def evaluation_set(folder, **options):
    defaults = {"phase": "val", "dataroot_gt": str(folder), "sigma": 25}
    return GaussianDenoisingDataset({**defaults, **options})


def host_worker_init(worker_id, num_workers, rank, seed):
    """What BasicSR 1.4.2 does at the start of each worker, at each pass over the data."""
    worker_seed = num_workers * rank + worker_id + seed
    np.random.seed(worker_seed)  # noqa: NPY002
    random.seed(worker_seed)


def passes(dataset, num_workers, count, seed=0):
    """Batches of some passes over the data, with BasicSR's loader settings."""
    torch.manual_seed(seed)
    init = partial(host_worker_init, num_workers=num_workers, rank=0, seed=0)
    loader = DataLoader(dataset, batch_size=2, num_workers=num_workers, worker_init_fn=init)
    return [list(loader) for _ in range(count)]


def test_training_item_is_a_patch_and_a_noisy_version(folder):
    dataset = training_set(folder)
    assert len(dataset) == 4
    item = dataset[1]
    assert item["gt"].shape == item["lq"].shape == (3, 16, 16)
    assert item["gt"].dtype == item["lq"].dtype == torch.float32
    assert item["gt"].is_contiguous()
    assert 0 <= item["gt"].min() <= item["gt"].max() <= 1
    assert (item["lq"] - item["gt"]).std() * 255 == pytest.approx(25, rel=0.1)
    assert item["lq"].min() < 0 or item["lq"].max() > 1, "noise must not be clipped"
    assert item["gt_path"] == item["lq_path"] == str(folder / "1.png")
    assert dataset.opt["sigma"] == 25


def test_patches_come_from_their_image_in_every_orientation(folder):
    write_image(folder / "0.png", np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, 2))
    dataset = training_set(folder, patch_size=4)
    seen = {tuple((dataset[0]["gt"][0] * 255).round().int().flatten().tolist()) for _ in range(200)}
    assert len(seen) == 8
    assert all(sorted(patch) == list(range(16)) for patch in seen)
    plain = training_set(folder, patch_size=4, use_hflip=False, use_rot=False)
    assert torch.equal((plain[0]["gt"][0] * 255).round().int().flatten(), torch.arange(16))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_noise_and_crops_differ_between_passes_and_items(folder, num_workers):
    batches = passes(training_set(folder), num_workers, count=3)
    noises = [
        (lq - gt).numpy().round(5).tobytes()
        for epoch in batches
        for batch in epoch
        for lq, gt in zip(batch["lq"], batch["gt"], strict=True)
    ]
    assert len(set(noises)) == 12
    crops = {batch["gt"][0].numpy().tobytes() for epoch in batches for batch in epoch[:1]}
    assert len(crops) == 3, "the same image must be cropped anew in each pass"


class NumpyNoise(Dataset):
    """What data sets do that draw from NumPy's global generator."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.normal(size=3)  # noqa: NPY002


def test_numpy_noise_would_repeat_in_every_pass():
    """The reason for `item_generator`: the host seeds NumPy alike at each pass over the data."""
    first, second = passes(NumpyNoise(), num_workers=2, count=2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_seed_reproduces_a_run(folder, num_workers):
    dataset = training_set(folder)
    first, again, other = (passes(dataset, num_workers, 2, seed) for seed in (5, 5, 6))
    for one, two, three in zip(first[1], again[1], other[1], strict=True):
        assert torch.equal(one["lq"], two["lq"])
        assert torch.equal(one["gt"], two["gt"])
        assert not torch.equal(one["lq"], three["lq"])


def test_persistent_workers_draw_new_noise(folder):
    loader = DataLoader(training_set(folder), batch_size=4, num_workers=1, persistent_workers=True)
    first, second = (next(iter(list(loader)))["lq"] for _ in range(2))
    assert not torch.equal(first, second)


def test_images_smaller_than_the_patch_are_extended(folder):
    item = training_set(folder, patch_size=50)[0]
    assert item["gt"].shape == (3, 50, 50)


@pytest.mark.parametrize("size", [(1, 1, 3), (1, 9, 3)])
def test_single_pixels_are_extended(tmp_path, size):
    write_image(tmp_path / "dot.png", make_image(size))
    assert training_set(tmp_path)[0]["lq"].shape == (3, 16, 16)


def test_sigma_is_drawn_anew_for_each_item(folder):
    dataset = training_set(folder, sigma={"list": [0, 50]})
    seen = set()
    for _ in range(40):
        item = dataset[0]
        seen.add(round((item["lq"] - item["gt"]).std().item() * 255 / 50))
    assert seen == {0, 1}


def test_test_items_are_whole_images_with_the_same_noise_each_time(folder):
    dataset = evaluation_set(folder, noise_convention="numpy_hwc_bgr")
    item = dataset[2]
    assert item["lq"].shape == (3, 24, 20)
    assert torch.equal(item["lq"], dataset[2]["lq"])
    noise = np.random.RandomState(0).normal(0, 25 / 255, (24, 20, 3))[..., ::-1]
    np.testing.assert_allclose(
        (item["lq"] - item["gt"]).numpy(), noise.transpose(2, 0, 1), rtol=0, atol=1e-6
    )


def test_channels_follow_the_option_not_the_file(tmp_path):
    write_image(tmp_path / "gray.png", make_image((20, 20, 1)))
    write_image(tmp_path / "rgba.png", make_image((20, 20, 4)))
    for channels in (1, 3):
        for dataset in (
            training_set(tmp_path, channels=channels),
            evaluation_set(tmp_path, channels=channels),
        ):
            assert [item["gt"].shape[0] for item in (dataset[0], dataset[1])] == [channels] * 2


def test_folders_are_joined_in_natural_order(tmp_path):
    for name in ("b/img10.png", "b/img2.png", "a/sub/x.png"):
        write_image(tmp_path / name, make_image((4, 4, 3)))
    dataset = evaluation_set(tmp_path, dataroot_gt=[str(tmp_path / "b"), str(tmp_path / "a")])
    names = [Path(item["gt_path"]).name for item in (dataset[0], dataset[1], dataset[2])]
    assert names == ["img2.png", "img10.png", "x.png"]


def test_cache_gives_the_same_items_without_the_files(folder):
    torch.manual_seed(3)
    expected = training_set(folder)[0]
    cached = training_set(folder, cache=True)
    for path in folder.iterdir():
        path.unlink()
    torch.manual_seed(3)
    assert torch.equal(cached[0]["lq"], expected["lq"])


def test_cache_reports_all_bad_files_at_once(folder):
    for name in ("1.png", "3.png"):
        (folder / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"(?s)dataroot_gt: 2 of 4 .*1\.png: .*3\.png: "):
        training_set(folder, cache=True)


def test_bad_file_is_named_by_the_worker_that_reads_it(folder):
    (folder / "2.png").write_bytes(b"nothing")
    loader = DataLoader(training_set(folder), num_workers=1)
    with pytest.raises(ValueError, match=r"2\.png: cannot be read as an image"):
        list(loader)


@each(
    "options, message",
    [
        ({"phase": "validation"}, "phase must be one of train, val, test, received 'validation'"),
        ({"channels": 2}, "channels must be one of 1, 3, received 2"),
        ({"sigma": "25"}, "sigma must be a number"),
        ({"sigma": [50, 10]}, "sigma must go from low to high"),
        ({"sigma": 300}, r"sigma must lie in \[0, 255\]"),
        ({"phase": "val", "sigma": [0, 50]}, "sigma must be a number outside training"),
        ({"patch_size": 0}, "patch_size must be 1 or more"),
        ({"noise_convention": "swinir"}, "noise_convention must be one of 'numpy_hwc_rgb'"),
    ],
)
def test_bad_options_are_refused(folder, options, message):
    with pytest.raises(ValueError, match=message):
        training_set(folder, **options)


def test_missing_options_and_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="dataroot_gt"):
        GaussianDenoisingDataset({"phase": "train", "sigma": 25})
    with pytest.raises(FileNotFoundError, match=r"dataroot_gt: .*nowhere: no such folder"):
        training_set(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"dataroot_gt: .*holds no image"):
        training_set(tmp_path)


def test_datasets_are_listed_by_their_name():
    assert all(name == entry.__name__ for name, entry in DATASETS.items())


@pytest.mark.skipif(not CBSD68.is_dir(), reason="datasets/test/CBSD68 is not there")
def test_noisy_cbsd68_has_the_published_psnr():
    """20.17 dB for sigma 25, not clipped; the noise is the same draw for images of one size."""
    dataset = evaluation_set(CBSD68)
    assert len(dataset) == 68
    items = [dataset[index] for index in (0, 34)]
    values = [psnr(item["lq"], item["gt"]).item() for item in items]
    assert sum(values) / len(values) == pytest.approx(20.17, abs=0.02)
