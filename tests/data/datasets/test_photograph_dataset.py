"""What imitated photographs are made of: kinds in their shares, sizes, and grids anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.data import PhotographDataset
from semanir_arch.data.datasets.photograph_dataset import KINDS
from semanir_arch.data.files.image_io import load_image, write_image
from tests.data.degradations.statistics_of_noise import blockiness, luma_and_chroma


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Soft waves and fine grain, 200 x 180 pixels."""
    folder = tmp_path_factory.mktemp("photos")
    rows, columns = np.mgrid[:200, :180] / 30
    for number in range(3):
        waves = [
            np.sin(rows * a + columns * b + number) for a, b in ((1, 0.7), (0.6, 1.1), (1.3, -0.4))
        ]
        grain = np.random.default_rng(number).random((200, 180, 3))
        image = 0.5 + 0.3 * np.stack(waves, -1) + 0.05 * grain
        write_image(folder / f"{number}.png", np.rint(image.clip(0, 1) * 255).astype(np.uint8))
    return folder


def build(photos, phase="train", **options):
    return PhotographDataset(
        {"phase": phase, "dataroot_gt": str(photos), "patch_size": 48, **options}
    )


def items(dataset, count, index=0):
    torch.manual_seed(0)
    return [dataset[index] for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS.default)
def test_patches_and_images_of_every_kind_have_their_size(photos, kind):
    for item in items(build(photos, mixture={kind: 1}), 12):
        assert item["lq"].shape == item["gt"].shape == (3, 48, 48)
        assert torch.isfinite(item["lq"]).all()
    dataset = build(photos, "val", mixture={kind: 1}, seed=3)
    for index in range(3):
        item = dataset[index]
        assert item["lq"].shape == item["gt"].shape
        assert item["gt"].shape[1] <= 200
        assert item["gt"].shape[2] <= 180


def test_clean_pictures_of_their_own_size_are_their_files(photos):
    dataset = build(
        photos, "test", mixture={"clean": 2}, sources={"soft_prob_others": 0, "other": 1}
    )
    stored = load_image(photos / "1.png").pixels.transpose(2, 0, 1)
    item = dataset[1]
    np.testing.assert_array_equal((item["gt"] * 255).numpy().round(), stored)
    torch.testing.assert_close(item["lq"], item["gt"])


def test_white_noise_has_its_strength_and_is_neither_clipped_nor_rounded(photos):
    differences = torch.stack(
        [
            item["lq"] - item["gt"]
            for item in items(build(photos, mixture={"gaussian": 1}, sigma=40), 12)
        ]
    )
    assert differences.std() * 255 == pytest.approx(40, rel=0.02)
    assert differences.mean() * 255 == pytest.approx(0, abs=0.6)


def test_kinds_occur_in_their_shares(photos, monkeypatch):
    dataset = build(photos, mixture={"gaussian": 3, "clean": 1}, sigma=20)
    noisy = [bool((item["lq"] - item["gt"]).std() > 0.04) for item in items(dataset, 160)]
    assert np.mean(noisy) == pytest.approx(0.75, abs=0.1)


def test_the_grid_of_a_file_begins_anywhere_in_a_patch(photos):
    dataset = build(
        photos,
        mixture={"compressed": 1},
        compressed={
            "codec_prob": 1,
            "low_prob": 1,
            "low_quality": 10,
            "webp_prob": 0,
            "again_prob": 0,
            "resize_prob": 0,
        },
        sources={"soft_prob_others": 1, "enlarge": 2},
        patch_size=96,
    )
    found = set()
    for item in items(dataset, 24):
        luma = luma_and_chroma(item["lq"].permute(1, 2, 0).numpy())[0]
        measured = blockiness(luma, 1)
        if measured.max() > 1.5:
            found.add(int(measured.argmax()))
    assert len(found) >= 6


def test_enlarged_sources_are_softer(photos):
    roughness = {}
    for chance in (0, 1):
        dataset = build(
            photos, mixture={"clean": 1}, sources={"soft_prob_others": chance, "other": 1}
        )
        steps = [item["gt"].diff(dim=-1).abs().mean() for item in items(dataset, 16)]
        roughness[chance] = float(torch.stack(steps).mean())
    assert roughness[1] < 0.75 * roughness[0]


def test_another_seed_gives_another_test_set(photos):
    first, second, again = (
        build(photos, "test", mixture={"camera": 1}, seed=seed)[0]["lq"] for seed in (0, 1, 0)
    )
    assert torch.equal(first, again)
    assert first.shape != second.shape or not torch.equal(first, second)
