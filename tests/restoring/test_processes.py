"""The command in processes of its own: how soon it starts, and how several share a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_io import load_image, write_image
from tests.helpers import ROOT, TINY_UNET, make_image, save_weights
from tests.processes import needs_fork, run_processes

pytestmark = pytest.mark.slow

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_weights(tmp_path / "net.pth", TINY_UNET, identity=True)
    return tmp_path


def test_the_command_starts_within_five_seconds(folder):
    """Time of the processor, all threads: the clock counts what else the machine does."""
    write_image("photo.png", make_image((16, 16, 3)))
    code = (
        "import sys, time; from semanir_arch.commands.restore import main; "
        "code = main(sys.argv[1:]); "
        "sys.stderr.write(str(time.process_time())); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "photo.png", "--weights", "net.pth", "-o"]
    # Busy neighbors take caches and memory too: the best of some attempts is the command's own.
    for attempt in range(5):
        result = subprocess.run(
            [*command, f"out{attempt}"],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        if float(result.stderr) < 5:
            return
    pytest.fail(f"it took {result.stderr} s")


def start_together(*arguments):
    """The command in two processes, as torchrun starts them."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
            *("-m", "semanir_arch.commands.restore", *arguments, "--device", "cpu"),
        ],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_two_processes_share_a_folder_and_a_bad_file_stops_neither(folder):
    for number in range(5):
        write_image(f"in/{number}.png", make_image((20, 30, 3), seed=number))
    Path("in/bad.png").write_bytes(b"not an image")
    arguments = ("in", "missing.png", "-o", "out", "--weights", "net.pth", "--compare")
    result = start_together(*arguments)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    done = sorted(line.split()[1] for line in lines if line.startswith("["))
    assert done == [f"in/{number}.png" for number in range(5)]
    assert sum("compare.html" in line for line in lines) == 1
    ours = [line for line in result.stderr.splitlines() if line.startswith("semanir-restore: ")]
    assert sorted(line.split(": ")[1] for line in ours) == ["in/bad.png", "missing.png"]
    for number in range(5):
        expected = make_image((20, 30, 3), seed=number)
        assert (load_image(f"out/{number}.png").pixels == expected).all()


def restore_in(rank):
    return cli.main(["photo.png", "-o", "out", "--weights", "nothing.pth", "--device", "cpu"])


@needs_fork
def test_processes_that_lack_weights_say_so_once(folder, capfd):
    write_image("photo.png", make_image((4, 6, 3)))
    assert 0 not in run_processes(2, restore_in)
    ours = [line for line in capfd.readouterr().err.splitlines() if "semanir-restore: " in line]
    assert ours == ["semanir-restore: nothing.pth: no such checkpoint file"]


def test_of_several_that_write_one_file_one_succeeds_and_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "photo.png"
    images = [make_image((50, 60, 3), seed=seed) for seed in range(8)]

    def write(image):
        try:
            write_image(path, image, overwrite=False)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        succeeded = list(pool.map(write, images))
    assert sum(succeeded) == 1
    assert (load_image(path).pixels == images[succeeded.index(True)]).all()
    assert [file.name for file in path.parent.iterdir()] == ["photo.png"]
