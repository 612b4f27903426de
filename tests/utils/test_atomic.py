"""Files are complete or absent."""

from __future__ import annotations

import pytest

from semanir_arch.utils.atomic import replacing, write_text


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
