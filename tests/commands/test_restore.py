from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.restoring import restorer
from semanir_arch.utils.checkpoint import save_checkpoint
from tests.each import each
from tests.helpers import ROOT, TINY_SR, TINY_UNET, make_image, make_visible, save_weights


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A network that returns its input; the test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    save_weights(tmp_path / "net.pth", TINY_UNET, identity=True)
    return "net.pth"


def run(*arguments):
    return cli.main([*map(str, arguments), "--device", "cpu"])


@each("suffix", [".png", ".tif"])
@each("channels", [1, 3, 4])
@each("dtype", [np.uint8, np.uint16])
def test_depth_channels_and_format_of_a_file_are_kept(weights, suffix, channels, dtype):
    image = make_visible((5, 9, channels), dtype)
    name = f"{channels}_{np.dtype(dtype)}{suffix}"
    write_image(name, image)
    assert run(name, "-o", "out", "--weights", weights) == 0
    np.testing.assert_array_equal(load_image(f"out/{name}").pixels, image)


def test_a_folder_is_restored_with_one_line_per_image(weights, capsys):
    for name in ("a.png", "b.jpg", "deep/c.webp"):
        write_image(Path("in", name), make_image((4, 6, 3)))
    assert run("in", "-o", "out", "--weights", weights) == 0
    assert {str(p) for p in Path("out").rglob("*.*")} == {
        "out/a.png",
        "out/b.jpg",
        "out/deep/c.webp",
    }
    lines = [line for line in capsys.readouterr().out.splitlines() if line[0] == "["]
    assert len(lines) == 3
    assert lines[0].startswith("[1/3] in/a.png -> out/a.png (6 x 4 pixels, ")


def test_super_resolution_writes_larger_images_and_keeps_alpha(tmp_path):
    save_weights(tmp_path / "sr.pth", TINY_SR)
    write_image(tmp_path / "small.png", make_image((5, 7, 4)))
    assert (
        run(tmp_path / "small.png", "-o", tmp_path / "large.png", "--weights", tmp_path / "sr.pth")
        == 0
    )
    assert load_image(tmp_path / "large.png").pixels.shape == (10, 14, 4)


def test_the_orientation_of_a_camera_is_applied(weights):
    photo = PIL.Image.fromarray(make_image((4, 6, 3)))
    exif = PIL.Image.Exif()
    exif[274] = 6
    photo.save("camera.png", exif=exif)
    assert run("camera.png", "-o", "out", "--weights", weights) == 0
    upright = load_image("out/camera.png").pixels
    np.testing.assert_array_equal(upright, np.rot90(np.asarray(photo), -1))


def test_the_colour_profile_is_kept(weights):
    write_image("photo.png", make_image((4, 6, 3)), metadata=Metadata(icc_profile=b"a profile"))
    assert run("photo.png", "-o", "out", "--weights", weights, "--compare") == 0
    assert load_image("out/photo.png").icc_profile == b"a profile"
    assert load_image("out/photo_compare.png").icc_profile == b"a profile"


def test_compare_writes_a_picture_and_says_where(weights, capsys):
    write_image("photo.png", make_image((40, 60, 3)))
    assert run("photo.png", "-o", "out", "--weights", weights, "--compare") == 0
    assert "before and after: out/photo_compare.png" in capsys.readouterr().out
    picture = load_image("out/photo_compare.png").pixels
    assert picture.shape[1] > 2 * 60


def test_a_bad_file_gives_one_message_and_the_rest_goes_on(weights, capsys):
    write_image("in/a.png", make_image((4, 6, 3)))
    Path("in/broken.png").write_bytes(b"not an image")
    Path("in/cut.png").write_bytes(Path("in/a.png").read_bytes()[:60])
    assert run("in", "missing.png", "-o", "out", "--weights", weights) == 1
    captured = capsys.readouterr()
    assert [p.name for p in Path("out").iterdir()] == ["a.png"]
    messages = captured.err.splitlines()
    assert len(messages) == 3
    for name in ("in/broken.png", "in/cut.png", "missing.png"):
        assert sum(name in message for message in messages) == 1


def test_files_are_replaced_only_on_demand(weights, capsys):
    write_image("photo.png", make_image((4, 6, 3)))
    Path("out").mkdir()
    Path("out/photo.png").write_bytes(b"precious")
    arguments = ("photo.png", "-o", "out", "--weights", weights)
    assert run(*arguments) == 1
    assert Path("out/photo.png").read_bytes() == b"precious"
    assert "photo.png: out/photo.png exists; --overwrite replaces it" in capsys.readouterr().err
    assert run(*arguments, "--overwrite") == 0
    assert load_image("out/photo.png").pixels.shape == (4, 6, 3)


def test_the_input_is_never_replaced(weights, capsys):
    write_image("photo.png", make_image((4, 6, 3)))
    before = Path("photo.png").read_bytes()
    assert run("photo.png", "-o", ".", "--weights", weights, "--overwrite") == 2
    assert "overwrite an input" in capsys.readouterr().err
    assert Path("photo.png").read_bytes() == before


def test_a_result_that_the_format_cannot_hold_is_said(weights, capsys):
    write_image("deep.png", make_image((4, 6, 3), np.uint16))
    assert run("deep.png", "-o", "deep.jpg", "--weights", weights) == 1
    assert "deep.png: deep.jpg: JPEG cannot hold 16 bits" in capsys.readouterr().err
    assert not Path("deep.jpg").exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--weights", "nothing.pth"), "nothing.pth: no such checkpoint file"),
        (("--weights", "photo.png"), "photo.png: cut short"),
        (("--weights", "net.pth", "--k", "0"), "k=0"),
    ],
)
def test_weights_or_arguments_that_cannot_be_used_end_the_command(weights, capsys, extra, message):
    write_image("photo.png", make_image((4, 6, 3)))
    assert run("photo.png", "-o", "out", *extra) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("semanir-restore: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not Path("out").exists()


def test_weights_that_do_not_fit_are_one_line(weights, capsys):
    write_image("photo.png", make_image((4, 6, 3)))
    save_checkpoint("other.pth", {"params": {"a": torch.zeros(1)}, "network_g": TINY_UNET})
    assert run("photo.png", "-o", "out", "--weights", "other.pth") == 2
    message = capsys.readouterr().err
    assert "other.pth: these weights do not fit SemanIRUNet. 21 missing in the file: " in message
    assert "\\x0a" not in message


def test_an_output_below_a_file_is_said_before_the_network_works(weights, capsys, monkeypatch):
    write_image("in/deep/photo.png", make_image((4, 6, 3)))
    Path("out").mkdir()
    Path("out/deep").touch()
    monkeypatch.setattr(restorer.Restorer, "restore", None)
    assert run("in", "-o", "out", "--weights", weights, "--overwrite") == 1
    assert capsys.readouterr().err == (
        "semanir-restore: in/deep/photo.png: the result needs a folder out/deep, but out/deep is a "
        "file\n"
    )


def test_a_read_only_output_is_said_before_the_network_works(weights, capsys, monkeypatch):
    write_image("photo.png", make_image((4, 6, 3)))
    Path("out").mkdir()
    monkeypatch.setattr(restorer.Restorer, "restore", None)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != Path("out"))
    assert run("photo.png", "-o", "out/new", "--weights", weights) == 1
    assert capsys.readouterr().err == (
        "semanir-restore: photo.png: the result cannot be written: the folder out is read-only\n"
    )


def test_a_name_too_long_is_said_before_the_network_works(weights, capsys, monkeypatch):
    long = "x" * 251
    write_image(f"{long}.png", make_image((4, 6, 3)))
    monkeypatch.setattr(restorer.Restorer, "restore", None)
    assert run(f"{long}.png", "-o", "out/new", "--weights", weights, "--compare") == 1
    assert capsys.readouterr().err == (
        f"semanir-restore: {long}.png: out/new/{long}_compare.png cannot be written: its name is "
        "too long\n"
    )
    assert run(f"{long}.png", "-o", "out", "--weights", weights, "--format", "webp") == 1
    assert f"out/{long}.webp cannot be written: its name is too" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_process_without_stdout_and_stderr_restores(weights, monkeypatch):
    write_image("photo.png", make_image((4, 6, 3)))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert run("photo.png", "nothing.png", "-o", "out", "--weights", weights) == 1
    assert Path("out/photo.png").exists()


def test_too_little_memory_is_one_message_with_the_file(weights, capsys, monkeypatch):
    write_image("photo.png", make_image((4, 6, 3)))

    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(restorer.Restorer, "_apply", fail)
    assert run("photo.png", "-o", "out", "--weights", weights) == 1
    assert "photo.png: not enough memory on cpu" in capsys.readouterr().err


def test_an_interruption_leaves_no_half_written_file(weights, capsys, monkeypatch):
    for name in ("a.png", "b.png"):
        write_image(Path("in", name), make_image((4, 6, 3)))
    finished = restorer.Restorer.restore

    def stop_at_the_second(self, image, **settings):
        if Path("out").exists():
            raise KeyboardInterrupt
        return finished(self, image, **settings)

    monkeypatch.setattr(restorer.Restorer, "restore", stop_at_the_second)
    assert run("in", "-o", "out", "--weights", weights) == 130
    assert [p.name for p in Path("out").iterdir()] == ["a.png"]
    assert "interrupted" in capsys.readouterr().err


def test_a_request_to_end_is_followed_as_an_interruption(weights, monkeypatch):
    write_image("photo.png", make_image((4, 6, 3)))

    def end(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    former = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(restorer.Restorer, "restore", end)
    assert run("photo.png", "-o", "out", "--weights", weights) == 130
    assert signal.getsignal(signal.SIGTERM) == former


@pytest.mark.parametrize("name", ["png", "jpg", "tif", "webp", "bmp"])
def test_the_format_of_results_can_be_chosen(weights, name):
    write_image("photo.png", make_image((4, 6, 3)))
    assert run("photo.png", "-o", "out", "--weights", weights, "--format", name) == 0
    with PIL.Image.open(f"out/photo.{name}") as file:
        expected = {"jpg": "JPEG", "tif": "TIFF"}.get(name, name.upper())
        assert (file.format, file.size) == (expected, (6, 4))


def test_the_depth_of_results_can_be_chosen(weights):
    image = make_visible((5, 7, 4), np.uint16)
    write_image("deep.png", image)
    write_image("flat.png", image[..., :1].astype(np.uint8))
    assert run("deep.png", "-o", "out", "--weights", weights, "--depth", 8) == 0
    shallow = load_image("out/deep.png").pixels
    np.testing.assert_array_equal(shallow, np.rint(image / 257).astype(np.uint8))
    assert run("flat.png", "-o", "out", "--weights", weights, "--depth", 16) == 0
    deep = load_image("out/flat.png").pixels
    np.testing.assert_array_equal(deep, image[..., :1].astype(np.uint8) * np.uint16(257))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "jpg"), "JPEG cannot hold 16 bits; use .png or .tif (see --format and"),
        (("--format", "jpg", "--depth", "8"), "JPEG cannot hold alpha"),
        (("--format", "webp"), "WEBP cannot hold 16 bits"),
    ],
)
def test_what_a_format_cannot_hold_is_said_before_the_network_works(
    weights, capsys, monkeypatch, arguments, message
):
    write_image("deep.png", make_image((5, 7, 4), np.uint16))
    monkeypatch.setattr(restorer.Restorer, "restore", None)
    assert run("deep.png", "-o", "out", "--weights", weights, *arguments) == 1
    assert message in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_result_too_wide_for_its_format_is_said_before_the_network_works(
    weights, capsys, monkeypatch
):
    write_image("wide.png", make_image((1, 16_384, 3)))
    monkeypatch.setattr(restorer.Restorer, "restore", None)
    assert run("wide.png", "-o", "out", "--weights", weights, "--format", "webp") == 1
    assert "WEBP cannot hold 16384 x 1 pixels, only sides up to 16383" in capsys.readouterr().err


def test_of_an_animation_the_first_picture_is_restored_with_a_note(weights, capsys):
    frames = [PIL.Image.fromarray(make_image((6, 5), seed=seed)) for seed in range(3)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    assert run("moving.gif", "-o", "out", "--weights", weights) == 0
    assert capsys.readouterr().err == (
        "semanir-restore: note: moving.gif holds more than one picture; only the first is read\n"
    )
    with PIL.Image.open("out/moving.png") as result:
        assert result.size == (5, 6)


def test_compare_writes_one_page_for_all(weights, capsys):
    for name in ("a.png", "deep/b.jpg"):
        write_image(Path("in", name), make_image((40, 60, 3)))
    assert run("in", "-o", "out", "--weights", weights, "--compare") == 0
    assert "compare all in a browser: out/compare.html" in capsys.readouterr().out
    page = Path("out/compare.html").read_text()
    assert f"({Path(weights).name})" in page
    assert "a.png" in page
    assert "b.jpg" in page
    Path("out/a.png").unlink()
    Path("out/a_compare.png").unlink()
    assert run("in/a.png", "-o", "out", "--weights", weights, "--compare") == 1
    assert "out/compare.html exists; --overwrite replaces it" in capsys.readouterr().err
    assert Path("out/compare.html").read_text() == page


def test_damage_outside_the_pixels_is_no_reason_to_fail(weights, capsys):
    exif = PIL.Image.Exif()
    exif[271] = "maker"
    PIL.Image.fromarray(make_image((4, 6, 3))).save("photo.jpg", exif=exif)
    data = bytearray(Path("photo.jpg").read_bytes())
    start = data.index(b"Exif\0\0") + 6
    data[start + 8 : start + 30] = b"\xff" * 22
    Path("photo.jpg").write_bytes(data)
    assert run("photo.jpg", "-o", "out", "--weights", weights) == 0
    assert Path("out/photo.jpg").exists()


@each(
    "arguments, message",
    [
        (("photo.png", "--explain", "1,1", "-o", "x.html"), "say which network to explain"),
        (("photo.png", "--weights", "net.pth"), "say where results go with -o FOLDER"),
        (("photo.png", "-o", "", "--task", "jpeg"), "-o/--output: '': a name must not be empty"),
        (("-o", "out", "--weights", "net.pth"), "name images, folders or patterns"),
        (("photo.png", "-o", "out", "--task", "denoize"), "did you mean 'denoise'?"),
        (("photo.png", "-o", "out.png", "--task", "jpeg", "--format", "tif"), "contradict"),
        (("photo.png", "-o", "o.tiff", "--task", "jpeg", "--format", "png"), "contradict"),
        (
            ("photo.png", "-o", "o.GIF", "--task", "jpeg"),
            "-o o.GIF: this format cannot be written; allowed: png",
        ),
        (("photo.png", "-o", "out", "--task", "jpeg", "--tile", "0"), "allowed: auto, none"),
        (("photo.png", "-o", "out", "--task", "jpeg", "--save-quality", "0"), "allowed: 1 to 100"),
        (("a.png", "--task", "jpeg", "--explain", "1,1", "--list"), "leave out --list"),
        (
            ("a.png", "--task", "jpeg", "--explain", "1,1", "--sigma", "0", "--ensemble"),
            "--explain restores nothing; leave out --sigma, --ensemble (",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_one_line(weights, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


@each(
    "arguments, message",
    [
        (("--sigma", "5", "--quality", "50"), "give sigma or quality, not both"),
        (("--sigma", "-5"), "sigma=-5; allowed: 0 to 255"),
        (("--quality", "0.5"), "quality=0.5; allowed: 1 to 100"),
        (("--bayer", "rggb"), "bayer='rggb': only for task 'demosaic'"),
        (("--task", "demosaic", "--bayer", "rgbg"), "bayer='rgbg'; allowed: rggb, bggr"),
        (("--task", "deblur", "--sigma", "5"), "task 'deblur' has no such strength"),
        (("--task", "jpeg", "--sigma", "5"), "task 'jpeg' has no such strength; it has quality"),
        (("--task", "sr_x2"), "its network enlarges 1 times, task 'sr_x2' 2 times"),
    ],
)
def test_a_strength_that_means_nothing_ends_the_command(weights, capsys, arguments, message):
    write_image("photo.png", make_image((4, 6, 3)))
    assert run("photo.png", "-o", "out", "--weights", weights, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not Path("out").exists()


def test_missing_arguments_are_explained_without_loading_torch(tmp_path):
    code = "import sys; from semanir_arch.commands.restore import main; main()"
    (tmp_path / "torch.py").write_text("raise ImportError('not needed for this')\n")
    result = subprocess.run(
        [sys.executable, "-c", code, "photo.png"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == (
        "semanir-restore: say where results go with -o FOLDER, or -o FILE for one image "
        "(semanir-restore --help explains)\n"
    )


def test_restoring_needs_neither_basicsr_nor_torchvision():
    code = (
        "import sys; sys.modules.update(basicsr=None, torchvision=None); "
        "from semanir_arch.commands import restore; "
        "from semanir_arch.restoring import comparison_picture, jobs, pixels, restorer"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
