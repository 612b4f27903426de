"""Files are complete or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from semanir_arch.utils import atomic
from semanir_arch.utils.atomic import copy_file, remove_leftovers, replacing, write_text

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


@pytest.mark.parametrize("name", ["a" * 255, "\N{HIRAGANA LETTER A}" * 85], ids=["latin", "kana"])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_copy_takes_the_place_of_another_file(tmp_path):
    for name in ("source", "target"):
        write_text(tmp_path / name, name)
    copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "source"


def test_a_file_that_came_meanwhile_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "photo.png"

    def write(text):
        with replacing(path, overwrite=False) as file:
            file.write(text)
            path.write_bytes(b"of another process")

    with pytest.raises(FileExistsError, match=r"photo\.png"):
        write(b"ours")
    assert path.read_bytes() == b"of another process"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_new_file_is_written_without_overwriting(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise PermissionError("this file system has no links")

    if not links:
        monkeypatch.setattr("os.link", refuse)
    for expected in (b"first", None):
        if expected is None:
            with pytest.raises(FileExistsError), replacing(tmp_path / "a", overwrite=False) as file:
                file.write(b"second")
        else:
            with replacing(tmp_path / "a", overwrite=False) as file:
                file.write(expected)
        assert (tmp_path / "a").read_bytes() == b"first"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(not full.exists(), reason="no device that is always full")
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    write_text(path, "old")
    monkeypatch.setattr("secrets.token_hex", lambda _: "x")
    (tmp_path / f".report.md.{os.getpid()}-x.tmp").symlink_to(full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_text(path, "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_told_with_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "gone" / "report.md", "text")
    assert caught.value.filename == str(tmp_path / "gone" / "report.md")


LEFT = ".photo.png.77-0123abcd.tmp"


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path):
    (tmp_path / LEFT).write_bytes(b"half")
    write_text(tmp_path / "a", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_being_written_and_what_is_foreign_stays(tmp_path):
    foreign = {".photo.png.tmp", "photo.77-0123abcd.tmp", ".vimrc", ".a.77-0123abcg.tmp"}
    for name in foreign:
        (tmp_path / name).touch()
    (tmp_path / ".folder.77-0123abcd.tmp").mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    # by another thread or process: a lock knows no difference between them
    with replacing(tmp_path / "slow") as file:
        file.write(b"half")
        assert remove_leftovers(tmp_path) == []
        file.write(b" whole")
    assert (tmp_path / "slow").read_bytes() == b"half whole"
    assert {path.name for path in tmp_path.iterdir()} == before | {"slow"}
    assert remove_leftovers(tmp_path / "gone") == []


def test_a_file_that_was_removed_before_it_was_locked_is_opened_again(tmp_path, monkeypatch):
    lock, removed = atomic._lock, []

    def late(file):
        if not removed:
            removed.append(file.name)
            Path(file.name).unlink()
        return lock(file)

    monkeypatch.setattr(atomic, "_lock", late)
    write_text(tmp_path / "a", "x")
    assert len(removed) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
