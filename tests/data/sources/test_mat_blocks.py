from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data import PairedRestorationDataset
from semanir_arch.data.sources.source_opening import open_source
from tests.data.benchmark_files import write_sidd

scipy_io = pytest.importorskip("scipy.io", reason="scipy comes with the extra train")


@pytest.fixture
def blocks(tmp_path):
    """SIDD's two files with fewer and smaller blocks."""
    return tmp_path, {part: write_sidd(tmp_path, f"Validation{part}") for part in ("Noisy", "Gt")}


def test_blocks_are_read_scene_by_scene(blocks):
    folder, arrays = blocks
    source = open_source(folder / "ValidationNoisyBlocksSrgb.mat")
    assert len(source) == 12
    assert source.names[6] == "0001_0002"
    np.testing.assert_array_equal(source.read(6), arrays["Noisy"][1, 2])


def test_noisy_and_clean_blocks_are_a_test_set(blocks):
    folder, arrays = blocks
    dataset = PairedRestorationDataset(
        {
            "phase": "val",
            "dataroot_lq": str(folder / "ValidationNoisyBlocksSrgb.mat"),
            "dataroot_gt": str(folder / "ValidationGtBlocksSrgb.mat"),
        }
    )
    item = dataset[11]
    assert len(dataset) == 12
    assert item["lq_path"].endswith("ValidationNoisyBlocksSrgb.mat/0002_0003.png")
    for key, part in (("lq", "Noisy"), ("gt", "Gt")):
        expected = arrays[part][2, 3].transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(item[key].numpy(), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": np.zeros((2, 4, 4, 3))}, r"must hold one array .*; holds a double \(2, 4, 4, 3\)"),
        ({"a": np.zeros((4, 4, 3), np.uint8)}, r"holds a uint8 \(4, 4, 3\)"),
        ({}, "holds nothing"),
    ],
)
def test_other_arrays_are_refused(tmp_path, content, message):
    scipy_io.savemat(tmp_path / "a.mat", content)
    with pytest.raises(ValueError, match=rf"a\.mat: .*{message}"):
        open_source(tmp_path / "a.mat")


def test_damaged_and_newer_files_are_named(blocks):
    folder, _ = blocks
    path = folder / "ValidationNoisyBlocksSrgb.mat"
    data = path.read_bytes()
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    cut_short = data[: len(data) // 2]
    for content in (b"", b"text", header, data[:60], cut_short):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"ValidationNoisyBlocksSrgb\.mat: "):
            open_source(path).read(0)
