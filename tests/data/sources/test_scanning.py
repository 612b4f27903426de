from __future__ import annotations

import os
import time

import pytest

from semanir_arch.data.sources import scanning
from semanir_arch.data.sources.scanning import scan_images, scan_names


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def age(root):
    """Pretend that nothing has changed for a minute."""
    before = time.time() - 60
    for folder, _, _ in os.walk(root):
        os.utime(folder, (before, before))


@pytest.fixture
def images(tmp_path):
    root = tmp_path / "images"
    touch(root, "a/2.png", "a/10.jpg", "b.tif")
    age(root)
    return root


@pytest.fixture
def scans(monkeypatch):
    """The folders that were listed, one entry per scan."""
    listed, walk = [], scanning._walk
    monkeypatch.setattr(
        scanning, "_walk", lambda root, *rest: listed.append(root) or walk(root, *rest)
    )
    return listed


def test_an_unchanged_folder_is_not_listed_again(images, tmp_path, scans):
    first = scan_names(images, str(tmp_path / "cache"))
    assert scan_names(images, str(tmp_path / "cache")) == first
    assert list(first) == ["a/2.png", "a/10.jpg", "b.tif"]
    assert len(scans) == 1


@pytest.mark.parametrize("name", ["a/3.png", "new/folder/1.png", "c.bmp"])
def test_a_new_file_anywhere_is_seen(images, tmp_path, name):
    scan_names(images, str(tmp_path / "cache"))
    touch(images, name)
    assert name in scan_names(images, str(tmp_path / "cache"))


def test_a_deleted_or_renamed_file_is_seen(images, tmp_path):
    scan_names(images, str(tmp_path / "cache"))
    (images / "a/2.png").unlink()
    (images / "b.tif").rename(images / "c.tif")
    assert list(scan_names(images, str(tmp_path / "cache"))) == ["a/10.jpg", "c.tif"]


def test_a_folder_that_has_just_changed_is_not_trusted(images, tmp_path, scans):
    touch(images, "c.png")
    for _ in range(2):
        scan_names(images, str(tmp_path / "cache"))
    assert len(scans) == 2


def test_a_damaged_index_is_made_again(images, tmp_path, scans):
    expected = scan_names(images, str(tmp_path / "cache"))
    (index,) = (tmp_path / "cache").iterdir()
    content = index.read_bytes()
    for damaged in (b"", content[:-5], content[:30], content.replace(b"root", b"toor")):
        index.write_bytes(damaged)
        assert scan_names(images, str(tmp_path / "cache")) == expected
    assert len(scans) == 5


def test_folders_of_one_name_do_not_share_an_index(tmp_path):
    for name in ("x", "y"):
        touch(tmp_path / name / "images", f"{name}.png")
        age(tmp_path / name)
    for name in ("x", "y"):
        root = tmp_path / name / "images"
        assert list(scan_names(root, str(tmp_path / "cache"))) == [f"{name}.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path / "real", "1.png")
    (tmp_path / "root").mkdir()
    for name in ("one", "two"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "real")
    (tmp_path / "real/back").symlink_to(tmp_path / "root")
    names = list(scan_names(tmp_path / "root"))
    assert names[:1] == ["one/1.png"]
    assert "two/1.png" in names
    assert len(names) == len(set(names)) == 2


def test_scan_is_recursive_natural_and_passes_over_other_files(tmp_path):
    images = ["img1.png", "img2.JPG", "img10.png", "sub/a.tif", "sub2/a.webp", "sub10/a.bmp"]
    for name in [*images, "Thumbs.db", "notes.txt", ".hidden.png", "._img1.png", ".git/x.png"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in scan_images(tmp_path)]
    assert found == images


def test_scan_follows_links_and_accepts_one_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.png").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/linked").symlink_to(tmp_path / "real")
    assert scan_images(tmp_path / "root") == [tmp_path / "root/linked/a.png"]
    assert scan_images(tmp_path / "real/a.png") == [tmp_path / "real/a.png"]


def test_scan_names_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        scan_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"holds no image \(looked for \.png"):
        scan_images(tmp_path)
