"""Inputs of published tables: our degradations and metrics give the printed figures."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise

import numpy as np
import pytest

from semanir_arch.data.files.image_io import write_image
from tests.helpers import ROOT, make_image

DATASETS = ROOT / "datasets" / "test"
DOCUMENT = ROOT / "docs" / "metrics_measurements.md"

# the largest differences that the notes of the tables explain
TOLERANCE = {"PSNR": 0.031, "SSIM": 0.0009, "PSNR-B": 0.011}

# of each kind, what takes a second at most
MEASURED = [
    ("Set5/HR", "x2"),
    ("Set5/HR", "x4"),
    ("Set14/HR", "x3"),
    ("classic5", "10"),
    ("LIVE1_gray", "40"),
    ("LIVE1_color", "10"),
    ("Set12", "25"),
]


@pytest.fixture(scope="module")
def baselines():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("baselines")


def tables():
    """Tables of the document: names of the columns, and rows of cells."""
    text = DOCUMENT.read_text(encoding="utf-8")
    part = text.partition("<!-- baselines")[2].partition("<!-- end of baselines")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    starts = [number for number, row in enumerate(rows) if row[0] == "set"] + [len(rows)]
    return [(rows[first], rows[first + 2 : last]) for first, last in pairwise(starts)]


def test_document_agrees_with_the_papers():
    compared = 0
    for header, rows in tables():
        for row in rows:
            for column, title in enumerate(header):
                if not title.endswith("published") or row[column] == "-":
                    continue
                published, ours, difference = map(float, row[column : column + 3])
                name = title.split()[0]
                assert abs(ours - published) < TOLERANCE[name], row
                assert difference == pytest.approx(ours - published, abs=1e-9), row
                compared += 1
    assert compared == 60


def test_document_has_every_row_of_the_command(baselines):
    rows = [row for section in baselines.SECTIONS for row in section.rows]
    assert [len(rows) for _, rows in tables()] == [len(s.rows) for s in baselines.SECTIONS]
    assert len(rows) == 35
    for (header, cells), section in zip(tables(), baselines.SECTIONS, strict=True):
        assert header == baselines.header(section)
        for row, line in zip(section.rows, cells, strict=True):
            assert line[:2] == [row.folder.split("/")[0], row.level]


@pytest.mark.parametrize(("folder", "level"), MEASURED)
def test_the_command_measures_what_the_document_says(baselines, folder, level):
    if not (DATASETS / folder).is_dir():
        pytest.skip(f"datasets/test/{folder} is not there")
    section, row = next(
        (section, row)
        for section in baselines.SECTIONS
        for row in section.rows
        if (row.folder, row.level) == (folder, level)
    )
    only = baselines.Section(section.title, section.level, section.source, (row,))
    (cells,), missing = baselines.measure(only, DATASETS)
    assert missing == []
    assert cells in [line for _, lines in tables() for line in lines]


def test_linear_demosaicking_truncated_to_8_bits_is_the_papers(baselines):
    """34.43 dB is printed; integer arithmetic truncates, we round and get 34.45."""
    if not (DATASETS / "McMaster").is_dir():
        pytest.skip("datasets/test/McMaster is not there")
    row = next(row for row in baselines.SECTIONS[-1].rows if row.folder == "McMaster")
    errors = []
    for image, target in row.pairs(DATASETS / "McMaster"):
        levels = [(x.double().numpy() * 255).round(4) for x in (image, target)]
        errors.append(((np.floor(levels[0]) - np.rint(levels[1])) ** 2).mean())
    values = [10 * np.log10(255**2 / error) for error in errors]
    assert sum(values) / len(values) == pytest.approx(34.43, abs=0.0051)


def test_sets_that_are_not_there_are_named(baselines, tmp_path, capsys):
    write_image(tmp_path / "classic5" / "a.png", make_image((24, 24, 1)))
    assert baselines.main(["--datasets", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Not measured, because the images are not here: Set5, Set14." in out
    assert "not here: LIVE1_gray." in out
    assert re.search(r"\| classic5 \| 10 \| 27\.82 \| \d\d\.\d\d \| [+-]", out)


def test_tables_are_written_between_the_markers(baselines, tmp_path, capsys):
    write_image(tmp_path / "Set12" / "a.png", make_image((24, 24, 1)))
    document = tmp_path / "document.md"
    document.write_text(f"before\n{baselines.BEGIN}\nold\n{baselines.END}\nafter\n")
    arguments = ["--datasets", str(tmp_path), "--only", "Set12", "--write", str(document)]
    assert baselines.main(arguments) == 0
    text = document.read_text()
    assert text.startswith(f"before\n{baselines.BEGIN}\n")
    assert text.endswith(f"{baselines.END}\nafter\n")
    assert "old" not in text
    assert capsys.readouterr().out in text
    assert baselines.main(arguments) == 0
    assert document.read_text() == text


def test_wrong_arguments_are_told_in_one_line(baselines, tmp_path, capsys):
    document = tmp_path / "document.md"
    document.write_text("no markers")
    assert baselines.main(["--only", "Set6"]) == 2
    assert "no set Set6; there are ['BSD68_gray'" in capsys.readouterr().err
    assert baselines.main(["--write", str(document)]) == 2
    assert "has no lines '<!-- baselines" in capsys.readouterr().err
    assert baselines.main(["--write", str(tmp_path / "absent.md")]) == 2
    assert "absent.md" in capsys.readouterr().err
    assert document.read_text() == "no markers"
