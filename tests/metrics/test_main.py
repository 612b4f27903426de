"""The command that scores two folders."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semanir_arch.metrics.__main__ import main
from tests.helpers import make_image


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
    assert "lowlight_rgb: RAMiT" in out


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


def test_absent_folder_is_named(folders, capsys):
    assert main([folders[0], "/nothing/here", "--protocol", "sr_y"]) == 2
    assert "/nothing/here" in capsys.readouterr().err
