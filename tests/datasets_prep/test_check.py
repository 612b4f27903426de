from __future__ import annotations

import json

import numpy as np
import pytest

from datasets_prep import check
from semanir_arch.data.files.image_io import write_image
from tests.helpers import make_image


@pytest.fixture
def photo():
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return data.astronaut()


@pytest.fixture
def pairs(tmp_path):
    for split, seeds in (("train", (0, 1, 2)), ("val", (5,))):
        for seed in seeds:
            clean = make_image((24, 32, 3), seed=seed)
            write_image(tmp_path / f"{split}/gt/{seed}.png", clean)
            write_image(tmp_path / f"{split}/lq/{seed}.png", clean[::2, ::2])
    return tmp_path


def block(root, split, **extra):
    return {
        "name": split,
        "type": "PairedRestorationDataset",
        "dataroot_gt": str(root / split / "gt"),
        "dataroot_lq": str(root / split / "lq"),
        **extra,
    }


def run(root, blocks, *extra, scale=2):
    path = root / "options.yml"
    # JSON is YAML
    path.write_text(json.dumps({"scale": scale, "datasets": blocks}))
    return check.main(["-opt", str(path), "--workers", "2", *extra])


def run_pairs(root, **extra):
    return run(root, {"train": block(root, "train", **extra), "val": block(root, "val")})


def test_sound_sets_give_a_table_and_exit_code_0(pairs, capsys):
    assert run_pairs(pairs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 4 + 2
    assert lines[1].split()[2:] == ["3", "32x24", "RGB", "8", "bit", "-"]
    assert lines[-2:] == ["0 problems", "0 leaks"]


def test_every_problem_is_named_in_one_run(pairs, capsys):
    (pairs / "train/gt/0.png").write_bytes(b"nothing")
    (pairs / "train/lq/1.png").write_bytes((pairs / "train/lq/1.png").read_bytes()[:60])
    write_image(pairs / "train/lq/2.png", make_image((12, 15, 3)))
    write_image(pairs / "val/lq/5.png", make_image((12, 16, 1)))
    assert run_pairs(pairs) == 1
    text = capsys.readouterr().out
    assert "4 problems:" in text
    for expected in (
        "train:dataroot_gt: ",
        "gt/0.png: cannot be read as an image",
        "lq/1.png: ",
        "2.png: 15x12 and 32x24, scale 2",
        "5.png: 1 channels of 8 bits and 3 channels of 8 bits",
    ):
        assert expected in text


def test_missing_partners_and_folders_are_named(pairs, capsys):
    (pairs / "train/gt/1.png").unlink()
    blocks = {"train": block(pairs, "train"), "val": block(pairs, "nowhere")}
    assert run(pairs, blocks) == 1
    text = capsys.readouterr().out
    assert "have no target in" in text
    assert "nowhere/gt: no such folder" in text
    assert "nowhere/lq: no such folder" in text


def test_pairs_of_plain_basicsr_files_are_checked(pairs, capsys):
    for path in sorted((pairs / "train/lq").iterdir()):
        path.rename(path.with_name(f"{path.stem}x2.png"))
    plain = block(pairs, "train", type="PairedImageDataset", filename_tmpl="{}x2")
    assert run(pairs, {"train": plain}) == 0
    assert run(pairs, {"train": {**plain, "filename_tmpl": "{}"}}) == 1
    assert "have no target" in capsys.readouterr().out


def test_views_of_a_dual_pixel_set_are_checked(tmp_path, capsys):
    roots = {"dataroot_gt": "gt", "dataroot_left": "l", "dataroot_right": "r"}
    for role in roots.values():
        write_image(tmp_path / role / "1.png", make_image((16, 16, 3), np.uint16))
    views = {"type": "DualPixelDefocusDataset"}
    views |= {key: str(tmp_path / role) for key, role in roots.items()}
    assert run(tmp_path, {"train": views}, scale=1) == 0
    write_image(tmp_path / "r/1.png", make_image((16, 16, 3), np.uint8))
    assert run(tmp_path, {"train": views}, scale=1) == 1
    assert "r/1.png does not fit" in capsys.readouterr().out


def test_clean_images_need_no_inputs(tmp_path, photo, capsys):
    write_image(tmp_path / "a/1.png", photo)
    write_image(tmp_path / "b/2.tif", photo[..., :1].astype(np.uint16) * 257)
    clean = {"type": "GaussianDenoisingDataset", "dataroot_gt": [str(tmp_path / "a")] * 1}
    clean["dataroot_gt"].append(str(tmp_path / "b"))
    assert run(tmp_path, {"train": clean}, scale=1) == 0
    assert "gray 16 bit (1), RGB 8 bit (1)" in capsys.readouterr().out


def test_leaks_are_told_with_their_place(tmp_path, photo, capsys):
    write_image(tmp_path / "train/patch.png", photo[60:260, 100:300])
    write_image(tmp_path / "train/other.png", make_image((200, 200, 3)))
    write_image(tmp_path / "test/astronaut.jpg", photo)
    blocks = {
        name: {"type": "GaussianDenoisingDataset", "dataroot_gt": str(tmp_path / name[:5])}
        for name in ("train",)
    }
    blocks["val_1"] = {**blocks["train"], "dataroot_gt": str(tmp_path / "test")}
    assert run(tmp_path, blocks, scale=1) == 1
    text = capsys.readouterr().out
    assert "1 leak:" in text
    assert "patch.png shows" in text
    assert "astronaut.jpg" in text
    assert "its corner is at (60, 100)" in text
    assert run(tmp_path, blocks, "--no-leaks", scale=1) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "names no data sets"), ("a: [", "not YAML"), (None, "no such file")],
)
def test_option_files_that_cannot_be_used_are_refused(tmp_path, capsys, content, message):
    path = tmp_path / "options.yml"
    if content is not None:
        path.write_text(content)
    assert check.main(["-opt", str(path)]) == 2
    assert message in capsys.readouterr().err
