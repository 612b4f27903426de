"""Files are complete or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from semanir_arch.utils.atomic import copy_file, replacing, write_text

full = Path("/dev/full")


def test_the_new_text_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "report.md"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "report.md"
    write_text(path, "old")

    def write_half():
        with replacing(path) as file:
            file.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_takes_the_place_of_another_file(tmp_path):
    for name in ("source", "target"):
        write_text(tmp_path / name, name)
    copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "source"


@pytest.mark.skipif(not full.exists(), reason="no device that is always full")
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "report.md"
    write_text(path, "old")
    (tmp_path / f".report.md.{os.getpid()}.tmp").symlink_to(full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_text(path, "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_told_with_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "gone" / "report.md", "text")
    assert caught.value.filename == str(tmp_path / "gone" / "report.md")
