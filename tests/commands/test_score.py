"""The command that scores two folders."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from semanir_arch.commands.score import ALSO, main
from semanir_arch.metrics import PROTOCOLS
from semanir_arch.models.naturalness import semanir_niqe
from semanir_arch.utils.errors import MissingPackageError
from tests.data.benchmark_files import write_sidd
from tests.helpers import ROOT, make_image


@pytest.fixture
def folders(tmp_path):
    """Two pairs; the restored images are 2 and 4 levels too bright."""
    for number in (1, 2):
        target = make_image((20, 24, 3)) // 2
        for folder, image in (("target", target), ("restored", target + np.uint8(2 * number))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    return str(tmp_path / "restored"), str(tmp_path / "target")


def test_every_pair_and_the_mean_are_printed_with_the_protocol(folders, capsys):
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 0
    out = capsys.readouterr().out
    expected = [10 * np.log10(255**2 / error**2) for error in (2, 4)]
    for psnr in (*expected, sum(expected) / 2):
        assert f"{psnr:.2f}" in out
    assert "lowlight_rgb: R, G and B, rounded to 8 bits, no border cut, SSIM 'wang'" in out
    assert "as in RAMiT" in out


def test_table_can_be_markdown(folders, capsys):
    assert main([*folders, "--protocol", "lowlight_rgb", "--markdown"]) == 0
    assert "| **mean** |" in capsys.readouterr().out


def test_suffixed_names_are_paired_by_a_template(folders, tmp_path, capsys):
    for path in (tmp_path / "restored").iterdir():
        path.rename(path.with_name(f"{path.stem}_net.png"))
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 2
    assert "1_net" in capsys.readouterr().err
    assert main([*folders, "--protocol", "lowlight_rgb", "--filename-tmpl", "{}_net"]) == 0


def test_one_bad_image_is_named_and_the_rest_scored(folders, tmp_path, capsys):
    (tmp_path / "restored" / "1.png").write_bytes(b"no image")
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 1
    captured = capsys.readouterr()
    assert "1.png" in captured.err
    assert "36.09" in captured.out


def test_sizes_must_agree(folders, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "restored" / "1.png"), make_image((10, 24, 3)))
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 1
    assert "24 x 10 pixels, but its target has 24 x 20" in capsys.readouterr().err


def test_super_resolution_says_that_it_needs_the_scale(folders, capsys):
    assert main([*folders, "--protocol", "sr_y"]) == 2
    assert "give the scale" in capsys.readouterr().err


@pytest.mark.parametrize(("scale", "message"), [("0", "1 or more, received 0"), ("-2", "-2")])
def test_a_scale_that_is_none_is_told_once(folders, capsys, scale, message):
    assert main([*folders, "--protocol", "sr_y", "--scale", scale]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


def test_unknown_protocol_is_answered_by_all_names(folders, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*folders, "--protocol", "denoise"])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert "invalid choice: 'denoise'" in err
    assert all(name in err for name in PROTOCOLS)


def test_empty_folder_and_missing_partners_are_named(folders, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), folders[1], "--protocol", "lowlight_rgb"]) == 2
    assert "empty: holds no image" in capsys.readouterr().err
    (tmp_path / "restored" / "2.png").unlink()
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 2
    assert "1 of 2 targets in" in capsys.readouterr().err


def test_alpha_depth_and_gray_do_not_hinder(folders, tmp_path, capsys):
    target = cv2.imread(str(tmp_path / "target" / "1.png"))
    alpha = np.dstack([target, target[..., :1]])
    cv2.imwrite(str(tmp_path / "restored" / "1.png"), alpha)
    cv2.imwrite(str(tmp_path / "target" / "1.png"), target.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "target" / "2.png"), target[..., 0])
    cv2.imwrite(str(tmp_path / "restored" / "2.png"), np.repeat(target[..., :1], 3, 2))
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 0
    assert capsys.readouterr().out.count("inf") == 3


def test_blocks_of_sidd_are_targets(tmp_path, capsys):
    clean = write_sidd(tmp_path, "ValidationGt")
    (tmp_path / "restored").mkdir()
    for scene, block in np.ndindex(3, 4):
        path = tmp_path / "restored" / f"{scene:04d}_{block:04d}.png"
        cv2.imwrite(str(path), clean[scene, block, ..., ::-1] ^ 1)
    target = str(tmp_path / "ValidationGtBlocksSrgb.mat")
    assert main([str(tmp_path / "restored"), target, "--protocol", "sidd_blocks"]) == 0
    out = capsys.readouterr().out
    assert out.count(f"{10 * np.log10(255**2):.2f}") == 13
    assert "mean over the blocks" in out


def test_files_hold_every_score_and_what_the_mean_leaves_out(folders, tmp_path):
    """The first pair is identical: an infinite PSNR, which JSON cannot hold as a number."""
    shutil.copy(tmp_path / "target" / "1.png", tmp_path / "restored" / "1.png")
    files = [str(tmp_path / name) for name in ("scores.csv", "scores.json")]
    arguments = ["--protocol", "lowlight_rgb", "--csv", files[0], "--json", files[1]]
    assert main([*folders, *arguments]) == 0
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["1", "2"]
    assert {row["protocol"] for row in rows} == {"lowlight_rgb"}
    expected = 10 * np.log10(255**2 / 4**2)
    assert [float(row["psnr"]) for row in rows] == pytest.approx([np.inf, expected], abs=1e-9)
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["protocol"] == "lowlight_rgb"
    assert content["source"] == PROTOCOLS["lowlight_rgb"].source
    assert content["mean"]["psnr"] == pytest.approx(expected, abs=1e-9)
    assert content["left_out"] == {"psnr": 1, "ssim": 0}
    assert [image["psnr"] for image in content["images"]] == ["inf", content["mean"]["psnr"]]


def test_a_file_that_cannot_be_written_is_named(folders, capsys):
    path = "/nothing/here/scores.csv"
    assert main([*folders, "--protocol", "lowlight_rgb", "--csv", path]) == 2
    assert path in capsys.readouterr().err


def test_other_scores_are_added(folders, monkeypatch, capsys):
    """The mean difference in levels stands for a score of another library."""
    monkeypatch.setitem(ALSO, "lpips", lambda x, y: float((x.astype(int) - y).mean()))
    assert main([*folders, "--protocol", "lowlight_rgb", "--also", "lpips"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    scores = [line[-1] for line in lines if line[0] in ("1", "2", "mean")]
    # a table of its own, below that of the protocol
    assert scores[3:] == ["2.0000", "4.0000", "3.0000"]


def test_what_other_scores_need_is_told_once_and_before(folders, monkeypatch, capsys):
    def absent(x, y):
        raise MissingPackageError("LPIPS needs the package lpips")

    monkeypatch.setitem(ALSO, "lpips", absent)
    assert main([*folders, "--protocol", "lowlight_rgb", "--also", "lpips"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: LPIPS needs the package lpips\n"
    assert captured.out == ""


def test_naturalness_is_basicsrs(tmp_path, capsys):
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    photo = np.ascontiguousarray(data.astronaut()[:200, :200, ::-1])
    for folder in ("target", "restored"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), photo)
    folders = [str(tmp_path / "restored"), str(tmp_path / "target")]
    assert main([*folders, "--protocol", "denoise_rgb", "--also", "niqe"]) == 0
    assert f"{semanir_niqe(photo):.4f}" in capsys.readouterr().out


def test_the_command_works_without_basicsr(folders):
    code = (
        "import sys; sys.modules['basicsr'] = None\n"
        "from semanir_arch.commands.score import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *folders, "--protocol", "lowlight_rgb"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "lowlight_rgb" in run.stdout


def test_absent_folder_is_named(folders, capsys):
    assert main([folders[0], "/nothing/here", "--protocol", "lowlight_rgb"]) == 2
    assert "/nothing/here" in capsys.readouterr().err


def test_two_files_are_a_pair_whatever_they_are_called(folders, tmp_path, capsys):
    files = [str(tmp_path / "restored" / "1.png"), str(tmp_path / "target" / "2.png")]
    assert main([*files, "--protocol", "lowlight_rgb"]) == 0
    assert "42.11" in capsys.readouterr().out


def test_a_part_of_a_set_is_scored_when_that_is_said(folders, tmp_path, capsys):
    (tmp_path / "restored" / "2.png").rename(tmp_path / "restored" / "other.png")
    assert main([*folders, "--protocol", "lowlight_rgb"]) == 2
    assert "--part scores those that have" in capsys.readouterr().err
    file = tmp_path / "scores.json"
    arguments = ["--protocol", "lowlight_rgb", "--part", "--json", str(file)]
    assert main([*folders, *arguments]) == 0
    out = capsys.readouterr().out
    assert f"A part of the set: 1 of 2 images of {folders[0]} have no target." in out
    assert f"A part of the set: 1 of 2 targets in {folders[1]} have no restored image." in out
    assert len(json.loads(file.read_text())["notes"]) == 2
    # one file is a part without being told
    assert main([str(tmp_path / "restored" / "1.png"), *folders[1:], *arguments[:2]]) == 0
    assert "1 of 2 targets" in capsys.readouterr().out
    one = str(tmp_path / "restored" / "other.png")
    assert main([one, folders[1], "--protocol", "lowlight_rgb", "--part"]) == 2
    assert "1 of 1 inputs" in capsys.readouterr().err


def test_photographs_without_targets_get_the_scores_that_need_none(tmp_path, capsys):
    photo = np.kron(make_image((25, 25, 3)), np.ones((8, 8, 1), np.uint8))
    (tmp_path / "trip").mkdir()
    for name in ("a.png", "a.jpg", "trip/a.png"):
        cv2.imwrite(str(tmp_path / name), photo)
    assert main([str(tmp_path), "--also", "niqe"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    expected = f"{semanir_niqe(photo):.4f}"
    assert {line[0] for line in lines if line[1:] == [expected]} == {"a.png", "trip/a.png"}
    assert "a.jpg" in [line[0] for line in lines]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a target and a --protocol, or --also niqe"),
        (["--also", "lpips"], "--also lpips needs a target; without one: --also niqe"),
        (["--protocol", "denoise_rgb"], "--protocol denoise_rgb needs a target"),
        (["target"], "give a --protocol"),
    ],
)
def test_what_needs_targets_says_so(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["photographs", *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
