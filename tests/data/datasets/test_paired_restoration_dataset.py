from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from semanir_arch.data import (
    DATASETS,
    DualPixelDefocusDataset,
    PairedRestorationDataset,
    reading,
)
from semanir_arch.data.files.image_io import to_float, write_image
from semanir_arch.data.sources.lmdb_store import write_lmdb
from tests.each import each
from tests.helpers import ROOT, make_image

SAMPLES = ROOT / "datasets" / "test"


def write_pairs(root, names, shape=(20, 24, 3), scale=1, suffixes=(".png", ".png"), dtype=np.uint8):
    """Targets of every level, and every `scale`-th pixel of them as input."""
    for seed, name in enumerate(names):
        gt = make_image((shape[0] * scale, shape[1] * scale, shape[2]), dtype, seed=seed)
        write_image(root / f"lq/{name}{suffixes[0]}", gt[::scale, ::scale])
        write_image(root / f"gt/{name}{suffixes[1]}", gt)


def options(root, phase="train", **changes):
    roots = {"dataroot_lq": str(root / "lq"), "dataroot_gt": str(root / "gt")}
    return {"phase": phase, "patch_size": 8, **roots, **changes}


@pytest.fixture
def folder(tmp_path):
    write_pairs(tmp_path, ["1", "2", "sub/10"])
    return tmp_path


def test_it_can_be_named_in_option_files():
    for dataset in (PairedRestorationDataset, DualPixelDefocusDataset):
        assert DATASETS[dataset.__name__] is dataset
        assert all(option.help for option in dataset.OPTIONS.values())


def test_whole_pairs_are_tested(folder):
    dataset = PairedRestorationDataset(options(folder, "test"))
    item = dataset[2]
    assert len(dataset) == 3
    assert item["gt"].dtype == torch.float32
    expected = to_float(make_image((20, 24, 3), seed=2)).transpose(2, 0, 1)
    np.testing.assert_array_equal(item["gt"].numpy(), expected)
    assert item["lq_path"] == str(folder / "lq/sub/10.png")
    assert item["gt_path"] == str(folder / "gt/sub/10.png")


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_training_patches_of_both_images_show_the_same_place(tmp_path, scale):
    write_pairs(tmp_path, ["a"], scale=scale)
    dataset = PairedRestorationDataset(options(tmp_path, patch_size=6 * scale, scale=scale))
    seen = set()
    for _ in range(20):
        item = dataset[0]
        assert item["lq"].shape == (3, 6, 6)
        assert item["gt"].shape == (3, 6 * scale, 6 * scale)
        # the input has the first pixel of every block; an orientation moves it within the block
        corners = [
            item["gt"][:, top::scale, left::scale]
            for top in (0, scale - 1)
            for left in (0, scale - 1)
        ]
        assert any(torch.equal(item["lq"], corner) for corner in corners)
        seen.add(item["lq"].numpy().tobytes())
    assert len(seen) > 15


def test_stored_low_resolution_images_find_their_targets(tmp_path):
    write_pairs(tmp_path, ["baby", "bird"], scale=2)
    for name in ("baby", "bird"):
        (tmp_path / f"lq/{name}.png").rename(tmp_path / f"lq/{name}x2.png")
    dataset = PairedRestorationDataset(options(tmp_path, scale=2, filename_tmpl="{}x2"))
    assert dataset[1]["lq"].shape == (3, 4, 4)
    assert dataset[1]["lq_path"].endswith("birdx2.png")


def test_targets_that_are_no_multiple_of_the_scale_are_cut(tmp_path):
    write_image(tmp_path / "lq/a.png", make_image((5, 6, 3)))
    write_image(tmp_path / "gt/a.png", make_image((17, 20, 3)))
    for phase, shape in (("test", (3, 15, 18)), ("train", (3, 21, 21))):
        dataset = PairedRestorationDataset(options(tmp_path, phase, scale=3, patch_size=21))
        assert dataset[0]["gt"].shape == shape


@pytest.mark.parametrize("size", [(20, 24), (21, 24), (18, 24)])
@pytest.mark.parametrize("phase", ["train", "test"])
def test_sizes_that_do_not_fit_name_both_files(tmp_path, phase, size):
    write_image(tmp_path / "lq/a.png", make_image((10, 11, 3)))
    write_image(tmp_path / "gt/a.tif", make_image((*size, 3)))
    dataset = PairedRestorationDataset(options(tmp_path, phase, scale=2))
    message = rf"scale 2: 10 x 11 in .*lq/a\.png, {size[0]} x {size[1]} in .*gt/a\.tif"
    with pytest.raises(ValueError, match=message):
        dataset[0]


@settings(max_examples=25)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    scale=st.integers(1, 3),
    side=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_small_images_are_extended_alike_at_every_resolution(
    tmp_path_factory, height, width, scale, side, seed
):
    root = tmp_path_factory.mktemp("pair")
    lq = make_image((height, width, 1), seed=seed)
    write_image(root / "lq/a.png", lq)
    # every input pixel is a block of equal target pixels: so it must remain
    write_image(root / "gt/a.png", lq.repeat(scale, axis=0).repeat(scale, axis=1))
    dataset = PairedRestorationDataset(
        options(root, scale=scale, patch_size=side * scale, channels=1)
    )
    item = dataset[0]
    assert item["lq"].shape == (1, side, side)
    blocks = item["lq"].repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    assert torch.equal(item["gt"], blocks)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_follows_the_file(tmp_path, dtype):
    write_pairs(tmp_path, ["a"], dtype=dtype)
    gt = PairedRestorationDataset(options(tmp_path, "test"))[0]["gt"]
    expected = make_image((20, 24, 3), dtype) / np.float32(np.iinfo(dtype).max)
    np.testing.assert_array_equal(gt.numpy(), expected.astype(np.float32).transpose(2, 0, 1))


@pytest.mark.parametrize(("stored", "channels"), [(1, 3), (3, 1), (4, 3), (2, 1)])
def test_channels_are_converted(tmp_path, stored, channels):
    write_pairs(tmp_path, ["a"], shape=(20, 24, stored))
    for phase in ("train", "test"):
        item = PairedRestorationDataset(options(tmp_path, phase, channels=channels))[0]
        assert item["lq"].shape[0] == item["gt"].shape[0] == channels


def test_suffixes_may_differ_and_other_files_are_ignored(tmp_path):
    write_pairs(tmp_path, ["1", "2"], suffixes=(".webp", ".tif"))
    (tmp_path / "lq/Thumbs.db").touch()
    (tmp_path / "gt/.hidden.png").touch()
    assert len(PairedRestorationDataset(options(tmp_path))) == 2


@pytest.mark.parametrize("raw", [True, False])
def test_an_lmdb_gives_the_same_items_as_its_folder(folder, raw):
    pytest.importorskip("lmdb")
    for part in ("lq", "gt"):
        images = {"1": 0, "2": 1, "sub/10": 2}
        items = [(key, make_image((20, 24, 3), seed=seed)) for key, seed in images.items()]
        write_lmdb(folder / f"{part}.lmdb", items, raw=raw)
    lmdbs = {f"dataroot_{part}": str(folder / f"{part}.lmdb") for part in ("lq", "gt")}
    for phase in ("train", "test"):
        for index in range(3):
            items = []
            for changes in ({}, lmdbs, {"cache": True}):
                torch.manual_seed(index)
                items.append(PairedRestorationDataset(options(folder, phase, **changes))[index])
            for other in items[1:]:
                assert torch.equal(items[0]["lq"], other["lq"])
                assert torch.equal(items[0]["gt"], other["gt"])


def test_several_roots_make_one_set(tmp_path):
    # rain with its drops in the name, snow with equal names, fog listed
    write_pairs(tmp_path / "drops", ["0_rain", "1_rain"])
    for number in (0, 1):
        gt = tmp_path / f"drops/gt/{number}_rain.png"
        gt.rename(gt.with_name(f"{number}_clean.png"))
    write_pairs(tmp_path / "snow", ["city"])
    write_pairs(tmp_path / "fog", ["a", "b", "c"])
    (tmp_path / "fog/list.txt").write_text("fog/lq/c.png fog/gt/c.png\n")
    parts = ("drops", "snow", "fog")
    dataset = PairedRestorationDataset(
        {
            "phase": "test",
            "dataroot_lq": [str(tmp_path / part / "lq") for part in parts[:2]] + [str(tmp_path)],
            "dataroot_gt": [str(tmp_path / part / "gt") for part in parts[:2]] + [str(tmp_path)],
            "name_rule": ["raindrop", "same", "same"],
            "meta_info_file": [None, None, str(tmp_path / "fog/list.txt")],
            "meta_info_columns": ["lq", "gt"],
        }
    )
    paths = [(item["lq_path"], item["gt_path"]) for item in dataset]
    assert paths == [
        (str(tmp_path / lq), str(tmp_path / gt))
        for lq, gt in (
            ("drops/lq/0_rain.png", "drops/gt/0_clean.png"),
            ("drops/lq/1_rain.png", "drops/gt/1_clean.png"),
            ("snow/lq/city.png", "snow/gt/city.png"),
            ("fog/lq/c.png", "fog/gt/c.png"),
        )
    ]


def test_one_target_folder_may_serve_several_input_folders(folder):
    write_pairs(folder / "more", ["1", "2", "sub/10"])
    roots = [str(folder / "lq"), str(folder / "more/lq")]
    dataset = PairedRestorationDataset(options(folder, "test", dataroot_lq=roots))
    assert len(dataset) == 6
    assert dataset[5]["gt_path"] == str(folder / "gt/sub/10.png")


def test_the_patch_size_may_change_between_items(folder):
    dataset = PairedRestorationDataset(options(folder, scale=1))
    dataset.patch_size = 12
    assert dataset[0]["gt"].shape == (3, 12, 12)


def test_workers_give_new_patches_in_every_pass_and_a_seed_repeats_them(folder):
    dataset = PairedRestorationDataset(options(folder))
    loader = DataLoader(dataset, batch_size=None, num_workers=2)

    def passes(seed):
        torch.manual_seed(seed)
        return [[item["gt"].numpy().tobytes() for item in loader] for _ in range(2)]

    first = passes(0)
    assert first == passes(0)
    patches = [patch for one_pass in first for patch in one_pass]
    assert len(set(patches)) == len(patches)


def test_dual_pixel_views_are_left_then_right(tmp_path):
    views = {"left": 1, "right": 2, "gt": 3}
    for name, seed in views.items():
        for number in range(2):
            pixels = make_image((16, 18, 3), np.uint16, seed=10 * number + seed)
            write_image(tmp_path / f"{name}/{number}.png", pixels)
    roots = {f"dataroot_{name}": str(tmp_path / name) for name in views}
    item = DualPixelDefocusDataset({"phase": "test", **roots})[1]
    expected = [
        to_float(make_image((16, 18, 3), np.uint16, seed=10 + seed)).transpose(2, 0, 1)
        for seed in (1, 2)
    ]
    np.testing.assert_array_equal(item["lq"].numpy(), np.concatenate(expected))
    assert item["lq_path"] == str(tmp_path / "left/1.png")
    patch = DualPixelDefocusDataset({"phase": "train", "patch_size": 8, **roots})[0]
    assert patch["lq"].shape == (6, 8, 8)
    assert patch["gt"].shape == (3, 8, 8)
    (tmp_path / "right/1.png").rename(tmp_path / "right/2.png")
    with pytest.raises(ValueError, match=r"1 of 2 inputs in .*right have no target in .*gt: 2"):
        DualPixelDefocusDataset({"phase": "test", **roots})


@pytest.mark.parametrize("option", ["check_files", "cache"])
def test_all_damaged_files_are_reported_at_once(folder, option):
    (folder / "lq/1.png").write_bytes(b"")
    (folder / "gt/1.png").rename(folder / "gt/1.tif").write_bytes(b"no image")
    path = folder / "gt/sub/10.png"
    path.write_bytes(path.read_bytes()[:-20])
    write_image(folder / "gt/2.png", make_image((20, 25, 3)))
    with pytest.raises(ValueError, match="3 of 3 items cannot be used") as caught:
        PairedRestorationDataset(options(folder, **{option: True}))
    lines = str(caught.value).splitlines()[1:]
    damaged = ("lq/1.png", "gt/1.tif", "gt/2.png", "gt/sub/10.png")
    assert all(name in line for name, line in zip(damaged, lines, strict=True))
    assert len(PairedRestorationDataset(options(folder))) == 3


def test_checking_reports_its_progress(folder, caplog, monkeypatch):
    monkeypatch.setattr(reading, "_PATIENCE", -1)
    monkeypatch.setattr(reading, "_BATCH", 2)
    with caplog.at_level(logging.INFO):
        PairedRestorationDataset(options(folder, check_files=True))
    counts = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert counts == ["2 of 3 items read", "3 of 3 items read"]


@each(
    "changes, error, message",
    [
        ({"phase": "training"}, ValueError, "phase must be one of train, val, test"),
        ({"channels": 2}, ValueError, "channels must be one of 1, 3, received 2"),
        ({"patch_size": 9, "scale": 2}, ValueError, r"multiple of scale \(2\), received 9"),
        ({"patch_size": 0}, ValueError, "patch_size must be"),
        ({"scale": 0}, ValueError, "scale must be an integer of 1 or more, received 0"),
        ({"dataroot_lq": "nowhere"}, FileNotFoundError, "dataroot_lq: nowhere: no such folder"),
        ({"dataroot_gt": []}, ValueError, "dataroot_gt names no folder"),
        ({"name_rule": "x"}, ValueError, "name_rule 'x' is unknown"),
        ({"name_rule": ["same"] * 3}, ValueError, "name_rule must have one entry per root, 1"),
        ({"filename_tmpl": "x"}, ValueError, "filename_tmpl must be"),
        ({"meta_info_columns": ["hq"]}, ValueError, r"meta_info_columns must be .*\['hq'\]"),
        ({"meta_info_file": "no.txt"}, FileNotFoundError, "no.txt: no such list file"),
    ],
)
def test_bad_options_are_named(folder, changes, error, message):
    with pytest.raises(error, match=message):
        PairedRestorationDataset(options(folder, **changes))


def test_missing_options_are_named():
    with pytest.raises(ValueError, match=r"missing option.*dataroot_gt, dataroot_lq"):
        PairedRestorationDataset({"phase": "train"})


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the images in datasets/test")
def test_real_pairs_are_found():
    for name, roots, changes, count in (
        ("GoPro_sample", ("lq", "gt"), {}, 2),
        ("CC15_real", ("lq", "gt"), {}, 15),
        ("OutdoorRain_Test1_sample", ("lq", "gt"), {}, 4),
        ("Set5", ("LR_bicubic/X3", "HR"), {"scale": 3, "filename_tmpl": "{}x3"}, 5),
        ("Set14", ("LR_bicubic/X2", "HR"), {"scale": 2, "filename_tmpl": "{}x2"}, 14),
    ):
        lq, gt = (str(SAMPLES / name / root) for root in roots)
        opt = {"phase": "test", "dataroot_lq": lq, "dataroot_gt": gt, "check_files": True}
        dataset = PairedRestorationDataset({**opt, **changes})
        assert len(dataset) == count
        item = dataset[0]
        seen = cv2.imread(item["lq_path"])[..., ::-1].transpose(2, 0, 1)
        np.testing.assert_array_equal(item["lq"].numpy(), seen / np.float32(255))


def test_a_damaged_target_of_several_inputs_is_reported_once(tmp_path):
    for number in range(3):
        write_image(tmp_path / f"lq/a_{number}.png", make_image((8, 8, 3)))
    write_image(tmp_path / "gt/a.png", make_image((8, 8, 3)))
    (tmp_path / "gt/a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="3 of 3 items cannot be used") as caught:
        PairedRestorationDataset(options(tmp_path, name_rule="rain14000", check_files=True))
    assert str(caught.value).count("gt/a.png") == 1
