"""Trainings and tests of several processes, on one computer and on two."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semanir_arch import host
from semanir_arch.commands import test as testing
from semanir_arch.commands import train as training
from semanir_arch.data.files.image_io import write_image
from semanir_arch.runs import failures
from semanir_arch.runs.failures import LOST
from semanir_arch.utils.command_line import Exit
from tests.helpers import TINY_UNET, make_image, save_weights
from tests.processes import free_port, needs_fork, run_processes

ROOT = Path(__file__).parents[2]
TORCHRUN = Path(sys.executable).with_name("torchrun")
IMAGES = 5

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="these processes share the CPU; several GPUs are not tested"
)


@pytest.fixture
def images(work):
    """Five different images, in place of the two."""
    shutil.rmtree(work / "images")
    for index in range(IMAGES):
        write_image(work / "images" / f"{index}.png", make_image((16 + index, 20, 3), seed=index))
    return work / "images"


def flags(name, batch, *more):
    return [
        *("-opt", "train.yml", "--force_yml", f"name={name}"),
        # Adam divides by the size of a gradient, and would enlarge the rounding of small ones.
        *("train:optim_g:eps=0.1", f"datasets:train:batch_size_per_gpu={batch}", *more),
    ]


def run_main(_, main, arguments):
    """The exit code of train.py or test.py in a forked process."""
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logging.getLogger("basicsr").handlers.clear()
    return main(arguments)


def weights(work, name, label="latest"):
    path = work / "experiments" / name / "models" / f"net_g_{label}.pth"
    return torch.load(path)["params"]


def logs(work, name):
    return [path.read_text() for path in (work / "experiments" / name).glob("*.log")]


def losses(text):
    return [float(value) for value in re.findall(r"l_pix: (\S+)", text)]


@needs_fork
@pytest.mark.parametrize(("count", "batch"), [(2, 3), (3, 2)])
def test_processes_that_share_a_batch_train_like_one(work, images, count, batch):
    """Ranks that drew the same data, as BasicSR's workers do, would give other weights."""
    more = ["train:total_iter=6", "val:val_freq=3", "logger:use_tb_logger=true"]
    assert training.main(flags("one", 6, *more)) == 0
    arguments = flags("many", batch, *more)
    assert run_processes(count, run_main, training.main, arguments) == [0] * count
    torch.testing.assert_close(weights(work, "many"), weights(work, "one"))
    (one,), (many,) = logs(work, "one"), logs(work, "many")
    assert losses(many) == pytest.approx(losses(one), rel=1e-3)
    assert len(losses(many)) == 6
    assert many.count("Validation a\n") == 2
    assert len(list((work / "tb_logger" / "many").iterdir())) == 1
    boards = [EventAccumulator(str(work / "tb_logger" / name)).Reload() for name in ("one", "many")]
    for board in boards:
        assert {"losses/l_pix", "metrics/a/psnr"} <= set(board.Tags()["scalars"])
        assert [image.step for image in board.Images("images/a/0")] == [3, 6]
    values = [[s.value for s in board.Scalars("losses/l_pix")] for board in boards]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def files_of_every_step(_, arguments):
    """Names of the images that one process trains on."""
    model, files = host.load("basicsr.models.sr_model").SRModel, []
    feed = model.feed_data

    def note(self, data):
        files.append([Path(path).stem for path in data["lq_path"]])
        feed(self, data)

    model.feed_data = note
    run_main(0, training.main, arguments)
    return files


@needs_fork
def test_every_process_reads_other_samples(work, images):
    arguments = flags("run", 2, "train:total_iter=5", "val=null")
    first, second = run_processes(2, files_of_every_step, arguments)
    seen = [name for a, b in zip(first, second, strict=True) for name in (*a, *b)]
    passes = [sorted(seen[start : start + IMAGES]) for start in range(0, 20, IMAGES)]
    assert passes == [[str(index) for index in range(IMAGES)]] * 4


def scores_of(report):
    """What does not depend on time."""
    return [
        [(image["image"], image["input"], image["output"]) for image in dataset["images"]]
        for dataset in report["datasets"]
    ]


@needs_fork
def test_a_test_of_several_processes_writes_one_report(work, images):
    """More processes than images, which are written by whoever restored them."""
    trained = work / "experiments" / "run" / "models"
    trained.mkdir(parents=True)
    save_weights(trained / "net_g_latest.pth", TINY_UNET)
    arguments = ["-opt", "test.yml", "--force_yml", "val:save_img=true", "val:suffix=x"]
    assert run_processes(1, run_main, testing.main, arguments) == [0]
    alone = json.loads((work / "results/run/report.json").read_text())
    shutil.rmtree(work / "results/run")
    count = IMAGES + 1
    assert run_processes(count, run_main, testing.main, arguments) == [0] * count
    shared = json.loads((work / "results/run/report.json").read_text())
    assert scores_of(shared) == scores_of(alone)
    written = {path.name for path in (work / "results/run/visualization/a").iterdir()}
    assert written == {f"{index}_x.png" for index in range(IMAGES)}
    assert [path.name for path in (work / "results").iterdir()] == ["run"]


@needs_fork
def test_a_model_of_basicsr_trains_and_validates_in_several_processes(work, images):
    text = (work / "train.yml").read_text().replace("RestorationModel", "SRModel")
    metrics = "metrics: {psnr: {type: calculate_psnr, crop_border: 0}}"
    (work / "train.yml").write_text(text.replace("protocol: denoise_rgb", metrics))
    assert training.main(flags("one", 4)) == 0
    assert run_processes(2, run_main, training.main, flags("many", 2)) == [0, 0]
    torch.testing.assert_close(weights(work, "many"), weights(work, "one"))
    assert logs(work, "many")[0].count("# psnr: ") == 1


def be_ended_instead_of_waiting(_):
    raise SystemExit


@needs_fork
def test_what_cannot_be_used_is_told_once(work, images, capfd, monkeypatch):
    """The second process waits to be ended by torchrun."""
    monkeypatch.setattr(failures, "time", SimpleNamespace(sleep=be_ended_instead_of_waiting))
    arguments = flags("run", 2, "train:total_iter=x")
    first, second = run_processes(2, run_main, training.main, arguments)
    assert first == Exit.REFUSED
    assert isinstance(second, SystemExit)
    error = capfd.readouterr().err
    assert re.findall(r"^error in process (\d): .*total_iter", error, re.MULTILINE) == ["0"]


@needs_fork
def test_a_failing_process_ends_the_run_with_its_message(work, images, capfd):
    """The others tell no other reason; torchrun would end them before they speak."""
    (images / "3.png").write_bytes((images / "3.png").read_bytes()[:100])
    arguments = flags("run", 1, "train:total_iter=1000", "val=null")
    codes = run_processes(2, run_main, training.main, arguments)
    assert sorted(codes) == [Exit.REFUSED, LOST]
    error = capfd.readouterr().err
    (failed,) = re.findall(r"^error in process (\d): .*3\.png", error, re.MULTILINE)
    assert codes[int(failed)] == Exit.REFUSED
    assert f"process {1 - int(failed)} ends, because another process of the run" in error
    assert "Traceback" not in error


def train_until_killed(rank, arguments):
    """The second process is killed in its fourth step."""
    model = host.load("basicsr.models.sr_model").SRModel
    feed, steps = model.feed_data, []

    def count(self, data):
        steps.append(data)
        if rank == 1 and len(steps) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        feed(self, data)

    model.feed_data = count
    return run_main(rank, training.main, arguments)


@needs_fork
def test_processes_end_when_one_is_killed_and_its_last_state_is_whole(work, images, capfd):
    arguments = flags("run", 2, "train:total_iter=1000", "val=null")
    first, killed, last = run_processes(3, train_until_killed, arguments)
    assert (first, last) == (LOST, LOST)
    assert isinstance(killed, EOFError)
    error = capfd.readouterr().err
    for rank in (0, 2):
        assert f"process {rank} ends, because another process of the run has ended" in error
    assert "Traceback" not in error
    more = ["train:total_iter=5", "val=null"]
    for name, flag in (("run", ["--auto_resume"]), ("whole", [])):
        arguments = [*flags(name, 2, *more), *flag]
        assert run_processes(3, run_main, training.main, arguments) == [0, 0, 0]
    # Not always the same bits: sums of three gradients depend on their order, which torch changes
    # after the first step of a run.
    torch.testing.assert_close(weights(work, "run"), weights(work, "whole"))


def train_until_asked_to_stop(rank, arguments):
    """A scheduler asks one of the processes, in its fourth step."""
    model = host.load("basicsr.models.sr_model").SRModel
    feed, steps = model.feed_data, []

    def count(self, data):
        steps.append(data)
        if rank == 1 and len(steps) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        feed(self, data)

    model.feed_data = count
    return run_main(rank, training.main, arguments)


@needs_fork
def test_a_signal_to_one_process_stops_all_after_the_same_iteration(work, images, capfd):
    more = ["train:total_iter=1000", "val=null", "logger:save_checkpoint_freq=500"]
    codes = run_processes(2, train_until_asked_to_stop, flags("run", 2, *more))
    assert codes == [128 + signal.SIGTERM] * 2
    error = capfd.readouterr().err
    assert error.count("Interrupted; iteration 4 is saved. Continue with: torchrun ... ") == 1
    states = work / "experiments" / "run" / "training_states"
    assert {path.name for path in states.iterdir()} == {"4.state", "4.json"}


def launch(*arguments, **variables):
    """Start torchrun, or something that starts it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables
    return subprocess.Popen(
        [str(argument) for argument in arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def running():
    """Processes that are ended, with their children, whatever happens."""
    started = []
    yield started
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


HELD = f"""
import runpy, sys, time
from pathlib import Path
from semanir_arch import host

model = host.load("basicsr.models.sr_model").SRModel
feed, fed = model.feed_data, []

def wait(*given):
    fed.append(None)
    while len(fed) == 8 and Path("hold").exists():
        time.sleep(0.01)
    feed(*given)

model.feed_data = wait
sys.argv[0] = {str(ROOT / "train.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""train.py, which before its eighth iteration waits for as long as there is a file `hold`."""


def worker(process):
    """Process number of the training below a torchrun."""
    (number,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(number)


def wait_for(condition, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in /proc")
def test_torchrun_restarts_a_killed_process_and_the_weights_are_those_of_an_unbroken_run(
    work, images, running
):
    more = ["train:total_iter=12", "val=null", "logger:keep_states=2"]
    assert run_processes(2, run_main, training.main, flags("unbroken", 2, *more)) == [0, 0]
    (work / "held.py").write_text(HELD)
    (work / "hold").touch()
    port, trained = free_port(), flags("broken", 2, *more)
    for node in range(2):
        join = ("--nnodes", 2, "--node_rank", node, "--master_addr", "127.0.0.1")
        join += ("--master_port", port, "--max-restarts", 1)
        running.append(launch(TORCHRUN, *join, "held.py", *trained))
    states = work / "experiments" / "broken" / "training_states"
    wait_for((states / "7.json").exists)
    os.kill(worker(running[1]), signal.SIGKILL)
    (work / "hold").unlink()
    error, _ = (process.communicate(timeout=600)[1] for process in running)
    assert [process.returncode for process in running] == [0, 0], error
    assert re.search(r"Resuming training from epoch: \d+, iter: \d+", error)
    assert not list((work / "experiments").glob("*_archived_*"))
    assert len(logs(work, "broken")) == 2
    torch.testing.assert_close(weights(work, "broken"), weights(work, "unbroken"), rtol=0, atol=0)


def why_no_namespaces():
    """Why two network namespaces cannot be made here, or None."""
    missing = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing:
        return f"no command {missing[0]}"
    probe = "unshare --net sleep 1 & ip link add host0 type veth peer name host1 netns $!"
    made = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", probe],
        capture_output=True,
        text=True,
        check=False,
    )
    return made.stderr.strip() or "not permitted" if made.returncode else None


@pytest.mark.slow
@needs_fork
def test_two_computers_train_like_two_processes_of_one(work, images, running):
    reason = why_no_namespaces()
    if reason is not None:
        pytest.skip(f"this machine allows no network namespaces: {reason}")
    more = ["train:total_iter=6", "val:val_freq=3"]
    assert run_processes(2, run_main, training.main, flags("one", 2, *more)) == [0, 0]
    script = Path(__file__).with_name("two_hosts.sh")
    isolated = ("unshare", "--user", "--map-root-user", "--net", "sh", script, TORCHRUN)
    process = launch(*isolated, ROOT / "train.py", *flags("two", 2, *more))
    running.append(process)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    torch.testing.assert_close(weights(work, "two"), weights(work, "one"), rtol=0, atol=0)
    numbers = [re.findall(r"# (?:psnr|ssim): \S+", logs(work, name)[0]) for name in ("one", "two")]
    assert len(numbers[0]) == 4
    assert numbers[0] == numbers[1]
