"""Names of items: unique, with the folders below the root."""

from __future__ import annotations

import pytest

from semanir_arch import host
from semanir_arch.data.datasets.bicubic_sr_dataset import BicubicSRDataset
from semanir_arch.data.datasets.paired_restoration_dataset import PairedRestorationDataset
from semanir_arch.data.files.image_io import write_image
from semanir_arch.data.sources.item_names import ItemNames, label_roots
from tests.each import each
from tests.helpers import make_image


@pytest.fixture
def write(tmp_path):
    def write(*names):
        for name in names:
            write_image(tmp_path / name, make_image((8, 8, 3)))

    return write


@pytest.mark.parametrize(
    ("roots", "labels"),
    [
        (["d/Set5", "d/Set14"], ["Set5", "Set14"]),
        (["d/indoor/lq", "d/outdoor/lq"], ["indoor", "outdoor"]),
        (["x/A/lq/1", "x/B/lq/1", "y/B/lq/1"], ["x/A", "x/B", "y/B"]),
        (["d/a", "d/a/b"], ["a", "b"]),
        (["d/a", "d/a"], ["a", "a"]),
        (["/a", "/b/a"], ["a", "b/a"]),
    ],
)
def test_roots_are_told_apart_by_few_folders(roots, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert label_roots(roots) == labels


def test_scenes_and_roots_are_part_of_the_name(write, tmp_path):
    write(*(f"{r}/{p}/s{s}/1.png" for r in "AB" for p in ("lq", "gt") for s in (1, 2)))
    options = {
        "phase": "test",
        "dataroot_lq": [str(tmp_path / r / "lq") for r in "AB"],
        "dataroot_gt": [str(tmp_path / r / "gt") for r in "AB"],
    }
    names = ItemNames(PairedRestorationDataset(options))
    names.check()
    assert list(names.known) == ["A/s1/1", "A/s2/1", "B/s1/1", "B/s2/1"]
    one = {**options, "dataroot_lq": str(tmp_path / "A/lq"), "dataroot_gt": str(tmp_path / "A/gt")}
    assert list(ItemNames(PairedRestorationDataset(one)).known) == ["s1/1", "s2/1"]


@each(
    "names, told",
    [
        (["a.png", "a.jpg", "b.png"], "a"),
        (["A.png", "a.png"], "A or a"),
        (["s/b.png", "S/B.png"], "S/B or s/b"),
        (["caf\u00e9.png", "cafe\u0301.png"], "cafe\u0301 or caf\u00e9"),
    ],
)
def test_a_clash_that_remains_is_refused(write, tmp_path, names, told):
    """For macOS and Windows, names that differ in case or in how accents are written are one."""
    write(*(f"{tmp_path.name}/{name}" for name in names))
    dataset = BicubicSRDataset(
        {"name": "X", "phase": "test", "scale": 2, "dataroot_gt": str(tmp_path)}
    )
    with pytest.raises(ValueError, match=f"X: several images are called {told}, so that"):
        ItemNames(dataset).check()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("SingleImageDataset", ("s1/1.png", "s2/1.png", "c.d.png")),
        # its lists know no folders
        ("PairedImageDataset", ("1.png", "c.d.png")),
    ],
)
def test_data_sets_of_basicsr_list_their_files(kind, names, write, tmp_path):
    write(*(f"{part}/{name}" for part in ("lq", "gt") for name in names))
    (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in names))
    dataset = host.load("basicsr.data").build_dataset(
        {
            "name": "B",
            "type": kind,
            "phase": "test",
            "scale": 1,
            "dataroot_lq": str(tmp_path / "lq"),
            "dataroot_gt": str(tmp_path / "gt"),
            "meta_info_file": str(tmp_path / "list.txt"),
            "io_backend": {"type": "disk"},
        }
    )
    assert [f"{name}.png" for name in ItemNames(dataset).known] == list(names)


class Foreign:
    """A data set that tells nothing before an item is loaded."""

    opt = {"name": "F", "dataroot_gt": "/data"}  # noqa: RUF012 - where BasicSR looks for it


def test_of_others_the_name_is_known_when_an_item_is_loaded():
    names = ItemNames(Foreign())
    names.check()
    paths = ["/data/s1/1.png", "/data/s2/1.jpg", "/elsewhere/1.png", "key"]
    loaded = [names.of(index, {"lq_path": [path]}) for index, path in enumerate(paths)]
    assert loaded == ["s1/1", "s2/1", "1", "key"]
    with pytest.raises(ValueError, match="several images are called s1/1,"):
        names.of(4, {"lq_path": ["/data/s1/1.jpg"]})
    with pytest.raises(ValueError, match=r"several images are called key or KEY, .* in case"):
        names.of(4, {"lq_path": ["KEY"]})


def test_no_name_leads_out_of_the_folder():
    names = ItemNames(Foreign())
    assert names.of(0, {"lq_path": ["../../x.png"]}) == "x"
    with pytest.raises(ValueError, match="is not a valid name"):
        names.check(["a/../../b"])
