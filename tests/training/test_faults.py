"""What can go wrong while a training runs, and what is left afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from semanir_arch import host
from semanir_arch.training.states import find_newest, verify
from semanir_arch.utils.signals import StopRequest
from tests.helpers import ROOT
from tests.training.trainings import (
    OURS,
    PLAIN,
    Process,
    assert_same,
    merge,
    prepare,
    printed,
    result,
    train,
    warm_up,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

ENDLESS = {"train": {"total_iter": 100_000}}
TWO_WORKERS = {"datasets": {"train": {"num_worker_per_gpu": 2}}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing has happened to."""
    warm_up()
    folder = prepare(tmp_path_factory.mktemp("whole"), OURS)
    assert train(folder) == 0
    return folder


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def experiment(folder):
    return folder / "experiments" / "run"


def lengthen(folder, total_iter):
    """Let the next run of a folder train longer."""
    options = merge(OURS, {"train": {"total_iter": total_iter}})
    (folder / "run.yml").write_text(json.dumps(options))


def last_line(folder):
    return printed(folder).rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("damaged", "damage", "problem"),
    [
        ("training_states/24.state", lambda data: data[:200], "cut short: 200 bytes instead of"),
        ("training_states/24.state", lambda _: b"", "cut short: 0 bytes instead of"),
        ("models/net_g_24.pth", lambda data: data[:-1], "cut short"),
        ("training_states/24.json", lambda data: data[:-9], "cut short or not a manifest"),
        ("training_states/24.json", lambda _: b"", "cut short or not a manifest"),
    ],
)
def test_a_truncated_newest_state_is_reported_and_the_former_one_used(
    finished, whole, damaged, damage, problem, record
):
    file = experiment(finished) / damaged
    file.write_bytes(damage(file.read_bytes()))
    assert train(finished, "--auto_resume") == 0
    assert f"{file}: {problem}" in printed(finished)
    assert "iter: 20." in printed(finished)
    assert_same(result(finished), result(whole))
    record(3, "newest state cut short", 1, "reported; the state before it; the same bits")


@pytest.mark.parametrize("position", [0, 1000, -1])
@pytest.mark.parametrize("damaged", ["training_states/24.state", "models/net_g_24.pth"])
def test_a_flipped_byte_is_reported_and_the_former_state_used(
    finished, whole, damaged, position, record
):
    file = experiment(finished) / damaged
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    manifest, problems = find_newest(experiment(finished), ["net_g"])
    assert manifest.iteration == 20
    assert [str(p) for p in problems] == [
        f"{file}: damaged: its checksum is not that of its manifest"
    ]
    record(4, "one bit of the newest state flipped", 1, "reported; the state before it")


def test_a_missing_network_file_is_reported_and_the_former_state_used(finished, whole, record):
    file = experiment(finished) / "models" / "net_g_24.pth"
    file.unlink()
    assert train(finished, "--auto_resume") == 0
    assert f"{file}: missing" in printed(finished)
    assert_same(result(finished), result(whole))
    record(5, "network file of the newest state missing", 1, "reported; the state before it")


def test_a_named_state_that_is_damaged_is_an_error(finished, record):
    file = experiment(finished) / "training_states" / "24.state"
    file.write_bytes(file.read_bytes()[:-1])
    assert train(finished, "--force_yml", f"path:resume_state={file}") == 2
    assert last_line(finished).startswith(f"error: {file}: cut short")
    record(6, "state that `path:resume_state` names damaged", 1, "error with file and reason")


class Foreign:
    """Something that only a pickle can bring back."""


def test_a_foreign_pickle_is_refused_with_a_hint(tmp_path, record):
    torch.save({"params": {"x": torch.ones(1)}, "args": Foreign()}, tmp_path / "foreign.pth")
    for model, options in (("ours", OURS), ("plain", PLAIN)):
        changed = merge(options, {"path": {"pretrain_network_g": str(tmp_path / "foreign.pth")}})
        folder = prepare(tmp_path / model, changed)
        assert train(folder) == 2
        assert "foreign.pth: holds a Python object" in last_line(folder)
        assert "If you trust the author" in last_line(folder)
        assert not (folder / "experiments").exists()
    record(7, "weights that are a foreign pickle", 2, "refused before anything is built; hint")


def test_a_full_disk_stops_with_one_message_and_the_former_state_is_intact(tmp_path, record):
    """On a small file system that is really full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    folder = prepare(tmp_path / "run", merge(OURS, ENDLESS))
    script = f"""
        mount -t tmpfs -o size=600k tmpfs {disk} && ln -s {disk} experiments || exit 77
        {sys.executable} {ROOT}/train.py -opt run.yml > printed.txt 2>&1
        code=$?
        cp -r {disk} left
        exit $code
    """
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        code = subprocess.run(
            namespace, cwd=folder, env=environment, timeout=600, check=False
        ).returncode
    except FileNotFoundError:
        code = 77
    if code == 77:
        pytest.skip("this machine lets no one mount a small file system")
    assert code == 2, printed(folder)
    message = last_line(folder)
    assert message.startswith("error: ")
    assert ": cannot be written: No space left on device; a state takes about" in message
    manifest, problems = find_newest(folder / "left" / "run", ["net_g"])
    assert message.endswith(f"The state of iteration {manifest.iteration} is intact.")
    assert len(problems) <= 1
    assert not list((folder / "left").rglob("*.tmp"))
    record(8, "disk full (a real one of 600 kB)", 1, "one message; the state before it")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_signal_saves_and_says_how_to_continue(tmp_path, number, code, workers, record):
    changes = {"datasets": {"train": {"num_worker_per_gpu": workers}}}
    folder = prepare(tmp_path, merge(merge(OURS, ENDLESS), changes))
    run = Process(folder, ())
    run.wait_for("iter:       5")
    # As Ctrl-C and job schedulers do: all processes of the run get it.
    for child in children(run.process.pid):
        os.kill(child, number)
    os.kill(run.process.pid, number)
    assert run.finish() == code
    manifest, _ = find_newest(experiment(folder), ["net_g"])
    assert last_line(folder) == (
        f"Interrupted; iteration {manifest.iteration} is saved. "
        "Continue with: python train.py -opt run.yml --auto_resume"
    )
    assert "Traceback" not in printed(folder)
    lengthen(folder, manifest.iteration + 1)
    assert train(folder, "--auto_resume") == 0
    name = signal.Signals(number).name
    record(9, f"{name} to all processes", 1, "iteration finished and saved; command to continue")


def children(pid):
    """Processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def test_a_second_ctrl_c_ends_at_once(tmp_path, record):
    folder = prepare(tmp_path, merge(OURS, ENDLESS))
    run = Process(folder, (), fault=never_finish_an_iteration)
    run.wait_for("stuck")
    os.kill(run.process.pid, signal.SIGINT)
    # two that come before it has run in between are one
    run.wait_for("asked to stop")
    os.kill(run.process.pid, signal.SIGINT)
    assert run.finish() == 130
    assert "Interrupted" in last_line(folder)
    record(10, "second Ctrl-C", 1, "ends at once; the last saved state")


def never_finish_an_iteration():
    def stuck(*_):
        sys.stderr.write("stuck\n")
        while True:
            time.sleep(0.01)

    def receive(self, *arguments):
        original(self, *arguments)
        sys.stderr.write("asked to stop\n")

    host.load("basicsr.models.sr_model").SRModel.feed_data = stuck
    original, StopRequest._receive = StopRequest._receive, receive


def test_a_killed_loading_process_ends_the_run_with_a_message(tmp_path, record):
    folder = prepare(tmp_path, merge(merge(OURS, ENDLESS), TWO_WORKERS))
    run = Process(folder, ())
    run.wait_for("iter:       9")
    os.kill(children(run.process.pid)[0], signal.SIGKILL)
    assert run.finish() == 2
    manifest, _ = find_newest(experiment(folder), ["net_g"])
    message = last_line(folder)
    assert message.startswith("error: a loading process was killed")
    assert "--auto_resume" in message
    lengthen(folder, manifest.iteration + 1)
    assert train(folder, "--auto_resume") == 0
    record(11, "loading process killed", 1, "one message; the last saved state")


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_named_and_nothing_is_lost(
    tmp_path, whole, workers, record
):
    changes = {"datasets": {"train": {"num_worker_per_gpu": workers}}}
    folder = prepare(tmp_path, merge(OURS, changes))
    image = folder / "gt" / "3.png"
    content = image.read_bytes()
    run = Process(folder, (), fault=wait_for_damage_after_five_iterations)
    run.wait_for("iter:       5")
    image.write_bytes(content[:60])
    (folder / "damaged").touch()
    assert run.finish() == 2
    assert last_line(folder).startswith("error: gt/3.png: ")
    manifest, problems = find_newest(experiment(folder), ["net_g"])
    assert manifest.iteration >= 5
    assert not problems
    image.write_bytes(content)
    assert train(folder, "--auto_resume") == 0
    expected, got = result(whole), result(folder)
    assert_same((got.log, got.state), (expected.log, expected.state))
    record(
        12,
        "image cut short during the training",
        1,
        "file named; the last iteration is saved; the same bits once it is repaired",
    )


def wait_for_damage_after_five_iterations():
    model = host.load("basicsr.models.sr_model").SRModel
    original, done = model.feed_data, []

    def wait(*arguments):
        while len(done) == 5 and not Path("damaged").exists():
            time.sleep(0.01)
        done.append(None)
        original(*arguments)

    model.feed_data = wait


def test_two_runs_of_one_name_do_not_touch_each_other(tmp_path, record):
    folder = prepare(tmp_path, merge(OURS, ENDLESS))
    first = Process(folder, ())
    first.wait_for("iter:       5")
    for arguments in ((), ("--auto_resume",)):
        assert train(folder, *arguments) == 2
        assert "another run of this name is in progress" in printed(folder)
    os.kill(first.process.pid, signal.SIGTERM)
    assert first.finish() == 143
    assert [path.name for path in (folder / "experiments").iterdir()] == ["run"]
    record(13, "second run of the same name", 2, "refused; the first goes on")


def test_weights_that_are_not_finite_replace_nothing(tmp_path, record):
    folder = prepare(tmp_path, merge(PLAIN, ENDLESS))
    assert train(folder, fault=spoil_the_sixth_step) == 2
    message = last_line(folder)
    assert "net_g: " in message
    assert "is not finite. The state of iteration 4 is intact." in message
    assert verify(experiment(folder), 4, ["net_g"]).iteration == 4
    assert not (experiment(folder) / "models" / "net_g_8.pth").exists()
    record(14, "weights of BasicSR's model not finite", 1, "nothing replaced; the good state")


def spoil_the_sixth_step():
    model = host.load("basicsr.models.sr_model").SRModel
    original = model.optimize_parameters

    def spoil(self, iteration):
        original(self, iteration)
        if iteration == 6:
            next(self.net_g.parameters()).data.fill_(float("nan"))

    model.optimize_parameters = spoil


def test_a_finished_training_says_so_and_changes_nothing(finished):
    before = {path: path.stat().st_mtime_ns for path in experiment(finished).rglob("*.pth")}
    assert train(finished, "--auto_resume") == 0
    assert "All 24 iterations are done; there is nothing to do." in last_line(finished)
    assert before == {path: path.stat().st_mtime_ns for path in experiment(finished).rglob("*.pth")}
