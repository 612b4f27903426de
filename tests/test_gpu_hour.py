"""The few minutes of a GPU, rehearsed: with a clock that runs out, and from beginning to end."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch.data.files.image_io import write_image
from semanir_arch.ops import key_semantic_dictionary
from semanir_arch.shipping.packed_crops import Pack
from tests.helpers import ROOT

TASKS = ("denoise", "photo")
DURATION = 30.0
COUNT = 8
"""Steps before the trainings."""


@pytest.fixture(scope="module")
def load():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module


@pytest.fixture
def hour(load):
    return load("gpu_hour")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class FakeChild:
    """Takes its time on the fake clock, prints while it does, stops a little late when asked to."""

    def __init__(self, clock, seconds, status=0, interrupted=False):
        self.clock, self.until, self.status = clock, clock.now + seconds, status
        self.interrupted, self.stopped = interrupted, False

    def wait(self, seconds):
        if self.interrupted:
            raise KeyboardInterrupt
        self.clock.now = min(self.clock.now + seconds, max(self.until, self.clock.now))
        return self.status if self.clock.now >= self.until else None

    def stop(self):
        self.stopped = True
        self.clock.now += 2


@pytest.fixture
def stage(hour, load, tmp_path):
    """Runs the plan with fake processes; returns the session and the commands."""

    def play(seconds, *, failing=(), interrupted=None, children=None, code="a", duration=DURATION):
        clock, commands = Clock(), []

        def start(command, variables, folder, log):
            commands.append(list(command))
            number = len(commands) - 1
            with log.open("a") as file:
                file.write(f"| said by | {number} |\ncollected 1 item\ntests/a.py::b PASSED\n")
            child = FakeChild(clock, duration, int(number in failing), number == interrupted)
            if children is not None:
                children.append(child)
            return child

        facts = {"rehearsal": False, "gpu": "G", "code": code}
        session = load("gpu_session").Session(
            tmp_path / "out", seconds, facts=facts, start=start, clock=clock
        )
        session.record.setdefault("date", "2026-11-30")
        plan = hour.Plan(False, tmp_path / "work", tmp_path / "no.tar")
        try:
            hour.run(session, plan, TASKS)
        finally:
            session.elapsed = clock.now - Clock.now
        return session, commands

    return play


def read_record(tmp_path):
    return json.loads((tmp_path / "out" / "gpu_hour.json").read_text())


def test_all_steps_run_in_order_each_with_its_result_on_disk(stage, tmp_path):
    _, commands = stage(780, duration=10)
    steps = read_record(tmp_path)["steps"]
    expected = ["machine", "files", "tests", "forward", "backward", "flex", "dictionary"]
    assert list(steps) == [*expected, "bias gradient", "train denoise", "train photo"]
    assert {entry["status"] for entry in steps.values()} == {"passed"}
    assert len(commands) == COUNT + len(TASKS)
    assert steps["flex"]["rows"] == [["said by", "5"]]
    assert steps["tests"]["tests"] == {"tests/a.py::b": "passed"}
    assert "said by" in (tmp_path / "out" / "gpu_hour.md").read_text()


@pytest.mark.parametrize("last", range(COUNT + len(TASKS)))
def test_time_that_runs_out_in_any_step_loses_only_what_is_left(stage, tmp_path, last):
    duration = 15.0
    budget = duration * last + duration / 2 + 8
    session, _ = stage(budget, duration=duration)
    assert session.elapsed <= budget
    steps = list(read_record(tmp_path)["steps"].values())
    # a training is not begun when there is no time to compare its weights
    begun = min(last, COUNT)
    assert [entry["status"] for entry in steps[:begun]] == ["passed"] * begun
    if last < COUNT:
        assert steps[last]["status"] == "killed"
        assert steps[last]["last line"] == "tests/a.py::b PASSED"
    rest = {entry["status"] for entry in steps[last + 1 if last < COUNT else COUNT :]}
    assert rest <= {"no time", "not possible"}
    assert (tmp_path / "out" / "gpu_hour.md").is_file()


def test_trainings_share_what_is_left_and_leave_time_to_publish(stage):
    _, commands = stage(780, duration=10)
    minutes = [
        float(command[command.index("--minutes") + 1])
        for command in commands
        if "--minutes" in command
    ]
    assert minutes[0] == pytest.approx(((780 - 80 - 8) / 2 - 60) / 60, abs=0.02)
    assert minutes[1] == pytest.approx((780 - 90 - 8 - 60) / 60, abs=0.02)


def test_a_step_that_fails_costs_only_itself(stage, tmp_path):
    stage(780, failing=(3,), duration=10)
    steps = read_record(tmp_path)["steps"]
    assert steps["forward"]["status"] == "failed"
    assert {e["status"] for name, e in steps.items() if name != "forward"} == {"passed"}


def test_missing_files_keep_only_the_training_from_running(stage, tmp_path):
    _, commands = stage(780, failing=(1,), duration=10)
    steps = read_record(tmp_path)["steps"]
    assert [steps[f"train {task}"]["status"] for task in TASKS] == ["not possible"] * 2
    assert "files" in steps["train photo"]["last line"]
    assert len(commands) == COUNT


def test_an_interruption_stops_the_process_and_a_second_call_continues(stage, tmp_path):
    children = []
    with pytest.raises(KeyboardInterrupt):
        stage(780, interrupted=4, children=children, duration=10)
    assert children[-1].stopped
    record = read_record(tmp_path)
    assert record["steps"]["backward"]["status"] == "interrupted"
    assert (tmp_path / "out" / "gpu_hour.md").is_file()
    session, commands = stage(780, duration=10)
    # the files are looked for in each call, since the machine may be another one
    assert len(commands) == 1 + COUNT + len(TASKS) - 4
    assert read_record(tmp_path)["used_s"] == pytest.approx(record["used_s"] + session.elapsed)


def test_changed_code_is_run_anew_but_trainings_stay(stage):
    stage(780, duration=10)
    _, same = stage(780, duration=10)
    _, changed = stage(780, duration=10, code="b")
    assert len(same) == 1
    assert len(changed) == COUNT


def test_a_process_that_does_not_stop_is_killed_with_its_children(load, tmp_path, monkeypatch):
    session = load("gpu_session")
    monkeypatch.setattr(session, "GRACE", 0.2)
    script = f"trap '' INT; sleep 60 & echo $! > {tmp_path}/pid; wait; sleep 60"
    child = session.Process(["sh", "-c", script], {}, tmp_path, tmp_path / "log")
    until = time.monotonic() + 300
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < until
        assert child.wait(0.05) is None
    child.stop()
    assert child.wait(300) is not None
    pid = int((tmp_path / "pid").read_text())
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        # nobody may wait for it: then it is dead all the same, a zombie
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the grandchild still runs")


def test_every_test_for_gpus_has_a_place_in_the_order(hour):
    tree = ast.parse((ROOT / hour.TESTS).read_text())
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[:5] == "test_"]
    assert sorted(names) == sorted(hour.ORDER)


def test_outcomes_are_read_with_and_without_workers(load):
    plain = "collecting ... collected 3 items\ntests/a.py::b[1-x] PASSED   [ 33%]\n"
    workers = "4 workers [3 items]\n[gw1] [ 66%] FAILED tests/a.py::c[2]\n"
    read = load("gpu_report").read_tests
    assert read(plain) == {"tests": {"tests/a.py::b[1-x]": "passed"}, "chosen": 3}
    assert read(workers) == {"tests": {"tests/a.py::c[2]": "failed"}, "chosen": 3}


def test_the_gradient_may_be_off_by_what_rounding_the_output_costs_and_no_more(load):
    module = load("bias_gradient")
    torch.manual_seed(0)
    q, k, v, grad = (torch.randn(2, 2, 31, 64).bfloat16() for _ in range(4))
    bias = torch.randn(2, 31, 31).bfloat16()
    dictionary = key_semantic_dictionary(torch.randn(2, 31, 16), 1)
    expected = module.define([q, k, v, bias], dictionary, grad)
    # one key is kept: its weight is 1, whatever the bias, and the output its value
    assert expected.gradient.abs().max() < 1e-12
    kept = dictionary.mask().unsqueeze(1)
    out = torch.where(kept.unsqueeze(-1), v.unsqueeze(2).float(), 0).sum(3)
    error = kept * ((grad.float() * out * 2.0**-9).abs().sum(-1, keepdim=True)).double()
    assert module.judge(0.99 * error.sum(0), expected)[1] <= 1
    assert module.judge(2 * error.sum(0) + 2e-3, expected)[1] > 1
    assert not module.judge(torch.full_like(expected.gradient, float("nan")), expected)[1] <= 1


@pytest.fixture
def photographs(tmp_path):
    packs = []
    for name, count in (("train", 6), ("validation", 1)):
        for number in range(count):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            noise = np.random.default_rng(number).integers(0, 256, (240, 240, 3), dtype=np.uint8)
            write_image(path, noise)
        packs.append(Pack(name, (str(tmp_path / name),), 208, centred=name == "validation"))
    return packs


def test_crops_get_smaller_until_checkout_and_file_fit(load, photographs, tmp_path):
    pack = load("gpu_pack")
    file = tmp_path / "pack.tar"
    pack.make_pack(file, limit=10**8, tree=0, packs=photographs, wheels=None)
    whole = file.stat().st_size
    limit = 5 * 10**6 + whole * 2 // 3 + 2**20
    pack.make_pack(file, limit=limit, tree=5 * 10**6, packs=photographs, wheels=None)
    assert whole / 3 < file.stat().st_size <= limit - 5 * 10**6
    with pytest.raises(ValueError, match="crops of 136 pixels do not fit into"):
        pack.make_pack(file, limit=5 * 10**6, tree=5 * 10**6, packs=photographs, wheels=None)
    # what was there stays, and nothing half-written is left
    assert [path.name for path in tmp_path.glob("pack*")] == ["pack.tar"]


def test_what_a_training_lacks_is_named(load, tmp_path, monkeypatch):
    pack = load("gpu_pack")
    monkeypatch.setattr(pack, "PACKED", pack.PACKED / "nowhere")
    monkeypatch.setattr(pack, "NEEDED", ("torch", "a_module_nobody_has"))
    crops, module = pack.unpack(tmp_path / "work", tmp_path / "no.tar")
    assert "--pack" in crops
    assert "no.tar" in crops
    assert module == "Python module a_module_nobody_has"


@pytest.mark.slow
def test_the_rehearsal_goes_from_beginning_to_end(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "benchmarks/gpu_hour.py", "--rehearse", "--output", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    shipped = (ROOT / "semanir_arch/weights/denoise.safetensors").read_bytes()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = read_record(tmp_path)["steps"]
    assert {entry["status"] for entry in steps.values()} == {"passed"}
    # what came out of real processes was understood
    assert steps["machine"]["machine"]["torch"] == torch.__version__
    assert steps["tests"]["chosen"] == len(steps["tests"]["tests"]) > len(TASKS)
    assert all(len(steps[name]["rows"]) >= 2 for name in ("forward", "backward", "dictionary"))
    assert all(row[-1] != "TOO LARGE" for row in steps["bias gradient"]["rows"])
    assert len(steps["train denoise"]["scores"]) == 3
    assert (ROOT / "semanir_arch/weights/denoise.safetensors").read_bytes() == shipped
