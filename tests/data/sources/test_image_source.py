from __future__ import annotations

import pickle

import numpy as np
import pytest

from semanir_arch.data.files.image_io import write_image
from semanir_arch.data.sources.lmdb_store import write_lmdb
from semanir_arch.data.sources.source_opening import open_source
from tests.helpers import make_image


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    for seed, name in enumerate(["b/2.png", "b/10.png", "v1.5.tif"]):
        write_image(root / name, make_image((4, 5, 3), seed=seed))
    return root


def test_a_folder_is_read_in_natural_order(folder):
    source = open_source(folder)
    assert list(source.names) == ["b/2", "b/10", "v1.5"]
    assert source.names[-1] == "v1.5"
    assert len(source) == 3
    assert source.path(1) == str(folder / "b/10.png")
    np.testing.assert_array_equal(source.read(1), make_image((4, 5, 3), seed=1))
    with source.view(2) as pixels:
        np.testing.assert_array_equal(pixels, make_image((4, 5, 3), seed=2))


def test_one_image_is_a_source(folder):
    source = open_source(folder / "v1.5.tif")
    assert list(source.names) == ["v1.5"]
    assert source.path(0) == str(folder / "v1.5.tif")


def test_a_list_is_read_as_one_source(folder, tmp_path):
    pytest.importorskip("lmdb")
    write_lmdb(tmp_path / "more.lmdb", [("x.y", make_image((3, 3, 1)))])
    source = open_source([folder / "b", tmp_path / "more.lmdb", str(folder)])
    assert list(source.names) == ["2", "10", "x.y", "b/2", "b/10", "v1.5"]
    assert source.path(2) == f"{tmp_path / 'more.lmdb'}/x.y.png"
    assert source.path(5) == str(folder / "v1.5.tif")
    np.testing.assert_array_equal(source.read(2), make_image((3, 3, 1)))
    np.testing.assert_array_equal(source.read(4), make_image((4, 5, 3), seed=1))
    with source.view(2) as pixels:
        assert pixels.shape == (3, 3, 1)
    with pytest.raises(IndexError):
        source.read(6)


def test_sources_can_be_sent_to_other_processes(folder):
    source = open_source([folder, folder])
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.names) == list(source.names)
    np.testing.assert_array_equal(copy.read(4), source.read(1))


def test_16_bits_and_alpha_are_read_as_stored(tmp_path):
    pixels = make_image((4, 5, 4), np.uint16)
    write_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(open_source(tmp_path).read(0), pixels)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("missing", FileNotFoundError, "missing: no such folder or image"),
        ("missing.lmdb", FileNotFoundError, "missing.lmdb: not an LMDB"),
        ("missing.mat", FileNotFoundError, "missing.mat: no such file"),
    ],
)
def test_missing_roots_are_named(tmp_path, name, error, message):
    with pytest.raises(error, match=message):
        open_source(tmp_path / name)


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="no folder is given"):
        open_source([])
