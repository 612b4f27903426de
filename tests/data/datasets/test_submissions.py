"""The files that the servers of DND and SIDD get, read back with SciPy."""

from __future__ import annotations

import base64
import csv

import numpy as np
import pytest

from datasets_prep import write_submission
from semanir_arch.data import SubmissionDataset
from semanir_arch.data.datasets.submissions import Submission
from semanir_arch.data.files.image_io import write_image
from semanir_arch.data.sources.source_opening import open_source
from tests.data.benchmark_files import write_dnd, write_sidd

scipy_io = pytest.importorskip("scipy.io", reason="scipy comes with the extra train")


def dataset(path):
    return SubmissionDataset({"phase": "test", "dataroot_lq": str(path)})


def denoise(blocks, folder):
    """Add every block, darker by a quarter, and bundle."""
    submission = blocks.submission(folder)
    for index in range(len(blocks)):
        lq = blocks[index]["lq"]
        submission.add(blocks.source.names[index], 0.75 * lq.permute(1, 2, 0).numpy())
    return submission.bundle(method="a network", seconds=1.5)


def test_boxes_of_dnd_are_cut_out_of_its_photographs(tmp_path):
    photographs = write_dnd(tmp_path)
    blocks = dataset(tmp_path / "info.mat")
    assert len(blocks) == 6
    item = blocks[4]
    assert item["lq_path"].endswith("info.mat/0002_02.png")
    # the second box of the second photograph begins at row 3 and column 6, from 0
    expected = photographs[1][3:27, 6:30].transpose(2, 0, 1)
    np.testing.assert_array_equal(item["lq"].numpy(), expected)


def test_bundle_of_dnd_is_what_its_own_script_writes(tmp_path):
    photographs = write_dnd(tmp_path / "DND")
    files = denoise(dataset(tmp_path / "DND" / "info.mat"), tmp_path / "blocks")
    assert [file.name for file in files] == ["0001.mat", "0002.mat"]
    assert files == sorted((tmp_path / "blocks" / "bundled").iterdir())
    cells = np.zeros((3,), dtype=object)
    for box in range(3):
        top, left = 2 * box + 1, 5 * box + 1
        cells[box] = np.float32(0.75) * photographs[1][top : top + 24, left : left + 24]
    official = tmp_path / "official.mat"
    scipy_io.savemat(official, {"Idenoised": cells, "israw": False, "eval_version": "1.0"})
    assert scipy_io.whosmat(files[1]) == scipy_io.whosmat(official)
    ours, theirs = scipy_io.loadmat(files[1]), scipy_io.loadmat(official)
    assert ours["Idenoised"].shape == (1, 3)
    for box in range(3):
        assert ours["Idenoised"][0, box].dtype == np.float32
        np.testing.assert_array_equal(ours["Idenoised"][0, box], theirs["Idenoised"][0, box])
    assert ours["israw"].tolist() == [[0]]
    assert ours["eval_version"].tolist() == ["1.0"]


def test_bundle_of_sidd_holds_every_block_in_its_cell(tmp_path):
    noisy = write_sidd(tmp_path)
    matlab, table = denoise(dataset(tmp_path / "BenchmarkNoisyBlocksSrgb.mat"), tmp_path / "blocks")
    content = scipy_io.loadmat(matlab)
    cells = content["DenoisedBlocksSrgb"]
    assert (cells.shape, cells.dtype) == ((3, 4), object)
    expected = np.rint(0.75 * noisy.astype(np.float64))
    for place in np.ndindex(3, 4):
        assert cells[place].dtype == np.uint8
        assert np.abs(cells[place] - expected[place]).max() <= 1
    assert content["TimeMPSrgb"].tolist() == [[1.5 * 2**20 / (12 * 16 * 12)]]
    assert content["OptionalData"]["MethodName"][0, 0].tolist() == ["a network"]
    csv.field_size_limit(10**7)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ID"] for row in rows] == [str(number) for number in range(12)]
    block = np.frombuffer(base64.b64decode(rows[6]["BLOCK"]), np.uint8).reshape(16, 12, 3)
    np.testing.assert_array_equal(block, cells[1, 2])


def test_bundle_waits_for_all_blocks_and_a_second_run_adds_the_rest(tmp_path):
    write_sidd(tmp_path)
    blocks = dataset(tmp_path / "BenchmarkNoisyBlocksSrgb.mat")
    submission = blocks.submission(tmp_path / "blocks")
    submission.add("0000_0001", np.full((16, 12, 3), 2.0))
    with pytest.raises(ValueError, match="11 of 12 blocks are missing, the first is 0000_0000"):
        submission.bundle()
    again = blocks.submission(tmp_path / "blocks")
    assert again.has("0000_0001")
    assert len(again.missing()) == 11
    denoise(blocks, tmp_path / "blocks")
    assert again.missing() == []


def test_blocks_that_cannot_be_sent_are_refused(tmp_path):
    write_sidd(tmp_path)
    path = tmp_path / "BenchmarkNoisyBlocksSrgb.mat"
    submission = dataset(path).submission(tmp_path / "blocks")
    with pytest.raises(ValueError, match="has no block '0009_0000'"):
        submission.add("0009_0000", np.zeros((16, 12, 3)))
    with pytest.raises(ValueError, match=r"0000_0000: expected finite values .* \(16, 12\)"):
        submission.add("0000_0000", np.zeros((16, 12)))
    with pytest.raises(ValueError, match="expected finite values"):
        submission.add("0000_0000", np.full((16, 12, 3), np.nan))
    with pytest.raises(ValueError, match="16 x 11 pixels, but the noisy block has 16 x 12"):
        submission.add("0000_0000", np.zeros((16, 11, 3)))
    for name in submission.source.names:
        submission.add(name, np.zeros((16, 12, 3)))
    (tmp_path / "blocks" / "0001_0000.mat").write_bytes(b"cut short")
    with pytest.raises(ValueError, match=r"0001_0000\.mat: cannot be read as a denoised block"):
        submission.bundle()


def test_other_sources_and_phases_are_refused(tmp_path):
    write_sidd(tmp_path)
    path = str(tmp_path / "BenchmarkNoisyBlocksSrgb.mat")
    with pytest.raises(ValueError, match="no targets to train with"):
        SubmissionDataset({"phase": "train", "dataroot_lq": path})
    with pytest.raises(ValueError, match=r"must be info\.mat of DND or a \*\.mat of SIDD"):
        dataset(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"info\.mat: no such file"):
        dataset(tmp_path / "info.mat")
    source = open_source(path)
    with pytest.raises(TypeError, match="neither DND nor SIDD"):
        Submission(type("Folder", (), {"root": "photos"})(), tmp_path)
    assert Submission(source, tmp_path / "blocks").missing() == list(source.names)


def test_damaged_files_of_dnd_are_named(tmp_path):
    photographs = write_dnd(tmp_path)
    h5py = pytest.importorskip("h5py")
    blocks = dataset(tmp_path / "info.mat")
    first = tmp_path / "images_srgb" / "0001.mat"
    with h5py.File(first, "w") as file:
        file["InoisySRGB"] = photographs[0][:25].T
    with pytest.raises(ValueError, match=r"0001\.mat: box 3 has rows 5 to 28 .* 25 rows"):
        blocks[2]
    first.write_bytes(b"text")
    with pytest.raises(ValueError, match=r"0001\.mat: cannot be read as a photograph of DND"):
        blocks[0]
    first.unlink()
    with pytest.raises(FileNotFoundError, match=r"0001\.mat: no such file"):
        blocks[0]
    for content in (b"", b"text"):
        (tmp_path / "info.mat").write_bytes(content)
        with pytest.raises(ValueError, match=r"info\.mat: cannot be read as DND's table of boxes"):
            dataset(tmp_path / "info.mat")
    (tmp_path / "info.mat").unlink()
    with h5py.File(tmp_path / "info.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(ValueError, match=r"info\.mat: cannot be read as DND's table of boxes"):
        dataset(tmp_path / "info.mat")


def test_restored_images_are_bundled_by_a_command(tmp_path, capsys):
    noisy = write_sidd(tmp_path)
    for scene, block in np.ndindex(3, 4):
        name = f"{scene:04d}_{block:04d}_mine.png"
        write_image(tmp_path / "restored" / name, 255 - noisy[scene, block])
    paths = [str(tmp_path / name) for name in ("BenchmarkNoisyBlocksSrgb.mat", "restored", "out")]
    assert write_submission.main(paths) == 2
    assert "0000_0000_mine" in capsys.readouterr().err
    assert write_submission.main([*paths, "--template", "{}_mine", "--seconds", "0.5"]) == 0
    assert "SubmitSrgb.mat" in capsys.readouterr().out
    content = scipy_io.loadmat(tmp_path / "out" / "bundled" / "SubmitSrgb.mat")
    np.testing.assert_array_equal(content["DenoisedBlocksSrgb"][2, 3], 255 - noisy[2, 3])
    assert content["TimeMPSrgb"].tolist() == [[0.5 * 2**20 / (12 * 16 * 12)]]


def test_command_names_blocks_that_are_missing_and_other_sizes(tmp_path, capsys):
    noisy = write_sidd(tmp_path)
    paths = [str(tmp_path / name) for name in ("BenchmarkNoisyBlocksSrgb.mat", "restored", "out")]
    write_image(tmp_path / "restored" / "0000_0000.png", noisy[0, 0])
    assert write_submission.main(paths) == 2
    write_image(tmp_path / "restored" / "0000_0000.png", noisy[0, 0, :8])
    assert write_submission.main(paths) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
    assert not (tmp_path / "out" / "bundled").exists()
