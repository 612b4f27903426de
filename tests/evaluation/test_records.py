"""Records are there when `add` has returned, and a torn line harms no other."""

from __future__ import annotations

import json
import math

import pytest

from semanir_arch.evaluation import records
from semanir_arch.evaluation.records import Record, RecordFile, read_records
from semanir_arch.metrics.scores import Row

ROWS = [
    Row("a", {"psnr": 20.1}, {"psnr": math.inf, "ssim": 1 / 3}, seconds=0.5, memory=123, tile=64),
    Row("b\n\u00e4", {}, {"psnr": -0.1}, seconds=None, memory=None),
]
RECORDS = [Record(f"key{i}", "set sigma=25", i, row, ("x/y.png",)) for i, row in enumerate(ROWS)]


def write(folder, rows, rank=0):
    file = RecordFile(folder, rank)
    for record in rows:
        file.add(record)
    file.close()


def test_what_was_written_is_read_digit_by_digit(tmp_path):
    write(tmp_path, RECORDS)
    assert read_records(tmp_path) == RECORDS
    again = read_records(tmp_path)[0].row
    assert (again.seconds, again.memory, again.tile) == (0.5, 123, 64)


def test_not_a_number_is_kept(tmp_path):
    write(tmp_path, [Record("key", "set", 0, Row("a", {}, {"ssim": math.nan}))])
    (record,) = read_records(tmp_path)
    assert math.isnan(record.row.output["ssim"])


def test_a_record_is_on_disk_before_the_file_is_closed(tmp_path):
    file = RecordFile(tmp_path)
    file.add(RECORDS[0])
    assert read_records(tmp_path) == RECORDS[:1]
    file.close()


def test_every_process_has_a_file_and_all_are_read(tmp_path):
    write(tmp_path, RECORDS[:1])
    write(tmp_path, RECORDS[1:], rank=3)
    assert read_records(tmp_path) == RECORDS
    assert {path.name for path in tmp_path.iterdir()} == {"records.jsonl", "records_3.jsonl"}


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_that_a_kill_cut_short_is_left_out_and_the_next_is_whole(tmp_path, kept):
    write(tmp_path, RECORDS[:1])
    path = tmp_path / "records.jsonl"
    line = path.read_bytes()
    path.write_bytes(line + line[:kept])
    assert read_records(tmp_path) == RECORDS[:1] * (2 if kept == -1 else 1)
    write(tmp_path, RECORDS[1:])
    assert read_records(tmp_path)[-1] == RECORDS[1]


@pytest.mark.parametrize("line", ["null", "[1]", "{}", '{"key": 1}', "\x00\xff", "7"])
def test_lines_of_something_else_are_left_out(tmp_path, line):
    (tmp_path / "records.jsonl").write_text(line + "\n", encoding="latin-1")
    assert read_records(tmp_path) == []


def test_a_full_disk_is_told_with_the_file(tmp_path):
    (tmp_path / "records.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        RecordFile(tmp_path).add(RECORDS[0])
    assert caught.value.filename == str(tmp_path / "records.jsonl")


def test_a_folder_without_records_has_none(tmp_path):
    assert read_records(tmp_path / "gone") == []


class Content:
    """A file in memory: thousands are read."""

    def __init__(self, data):
        self.data = bytes(data)

    def read_text(self, encoding, errors):
        return self.data.decode(encoding, errors)


def test_a_changed_bit_never_changes_a_score(tmp_path):
    write(tmp_path, RECORDS[:1])
    good = (tmp_path / "records.jsonl").read_bytes()
    invented = []
    for position in range(8 * len(good)):
        changed = bytearray(good)
        changed[position // 8] ^= 1 << position % 8
        if any(record not in RECORDS for record in records._read(Content(changed))):
            invented.append(position)
    assert invented == []
    assert list(records._read(Content(good))) == RECORDS[:1]


def test_lines_of_earlier_versions_are_measured_again(tmp_path):
    write(tmp_path, RECORDS[:1])
    path = tmp_path / "records.jsonl"
    line = json.loads(path.read_text())
    del line["sha256"]
    path.write_text(json.dumps(line) + "\n")
    assert read_records(tmp_path) == []
