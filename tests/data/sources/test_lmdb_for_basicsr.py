"""BasicSR reads the LMDBs written here, and its LMDBs are read here."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from semanir_arch import host
from semanir_arch.data import PairedRestorationDataset
from semanir_arch.data.files.image_io import write_image
from semanir_arch.data.sources.lmdb_store import write_lmdb
from semanir_arch.data.sources.source_opening import open_source
from tests.helpers import make_image

pytest.importorskip("lmdb")
pytestmark = pytest.mark.skipif(find_spec("basicsr") is None, reason="needs BasicSR")

KEYS = ["0001", "sub/folder/0001", "0002"]


@pytest.fixture
def lmdbs(tmp_path):
    for offset, part in enumerate(("lq", "gt")):
        items = [(key, make_image((12, 10, 3), seed=n + 10 * offset)) for n, key in enumerate(KEYS)]
        write_lmdb(tmp_path / f"{part}.lmdb", items, raw=False)
    return {f"dataroot_{part}": str(tmp_path / f"{part}.lmdb") for part in ("lq", "gt")}


def test_paired_images_are_the_same_in_both(lmdbs):
    dataset = host.load("basicsr.data.paired_image_dataset").PairedImageDataset(
        {"phase": "val", "scale": 1, "io_backend": {"type": "lmdb"}, **lmdbs}
    )
    theirs = {dataset[index]["lq_path"]: dataset[index] for index in range(len(dataset))}
    dataset.file_client.client._client.clear()
    ours = PairedRestorationDataset({"phase": "val", **lmdbs})
    assert set(theirs) == set(KEYS)
    for item in ours:
        key = item["lq_path"].partition(".lmdb/")[2].removesuffix(".png")
        for part in ("lq", "gt"):
            np.testing.assert_array_equal(item[part].numpy(), theirs[key][part].numpy())


def test_lmdbs_of_basicsr_are_read(tmp_path):
    for seed in range(3):
        write_image(tmp_path / f"images/{seed}.png", make_image((9, 8, 3), seed=seed))
    host.load("basicsr.utils.lmdb_util").make_lmdb_from_imgs(
        str(tmp_path / "images"),
        str(tmp_path / "theirs.lmdb"),
        [f"{seed}.png" for seed in range(3)],
        [str(seed) for seed in range(3)],
        map_size=2**20,
    )
    source = open_source(tmp_path / "theirs.lmdb")
    assert list(source.names) == ["0", "1", "2"]
    for seed in range(3):
        np.testing.assert_array_equal(source.read(seed), make_image((9, 8, 3), seed=seed))
