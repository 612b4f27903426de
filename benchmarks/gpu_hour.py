"""A few minutes of a GPU, used to the full: tests, times, gradients, then training.

    python benchmarks/gpu_hour.py                 13 minutes, everything; the same again continues
    python benchmarks/gpu_hour.py --rehearse      the same path in small, without a GPU
    python benchmarks/gpu_hour.py --pack          before, where the photographs are
    python benchmarks/gpu_hour.py --adopt FOLDER  after, with what came back

See docs/gpu.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from gpu_report import (
    find_doubts,
    read_machine,
    read_rows,
    read_tests,
    read_training,
    write_report,
)
from gpu_session import GRACE, LOG, Session, Step

from semanir_arch.utils.atomic import copy_file, write_text

BEGAN = time.monotonic()
ROOT = Path(__file__).parents[1]
OUTPUT, REHEARSAL = ROOT / "build" / "gpu_hour", ROOT / "build" / "gpu_rehearsal"
WORK = ROOT / "build" / "gpu_work"
REPORT = "gpu_hour.md"
LIGHT = "SemanIR_light_x2"
SHIPPED = ("denoise", "photo")
"""Tasks to train, in this order; the second one where it exists."""

TESTS = "tests/ops/test_triton_gpu.py"
ORDER = (
    # what neither the interpreter nor the compiler can show: shared memory, races, NaN, strides
    "test_wide_heads_equal_the_definition",
    "test_a_table_of_the_bias_equals_its_matrix",
    "test_unselected_keys_200_above_have_no_weight",
    "test_float16_equals_the_definition",
    "test_results_do_not_vary",
    "test_strided_inputs_and_an_expanded_gradient_equal_their_copies",
    "test_kernels_compile_as_one_graph",
    "test_float32_and_no_bias_equal_the_definition",
    "test_more_windows_than_a_grid_axis_holds",
    "test_selection_is_exact_where_torch_may_use_tf32",
    "test_memory_grows_with_the_tokens_not_with_their_pairs",
    # many sizes of what runs in the interpreter too
    "test_outputs_and_gradients_equal_the_definition",
    "test_logarithm_of_the_sum_is_that_of_the_kept_scores",
    "test_selection_equals_a_stable_sort_where_similarities_tie",
)
"""All tests for GPUs, those most likely to fail first."""

INTERPRETED = (
    "tests/ops/interpreted_kernels.py::test_dictionary_uses_the_kernels_when_they_are_named",
    "tests/ops/interpreted_kernels.py::test_keeping_every_key_needs_no_bits[1-16]",
)
_WORKERS = 14
_PATIENCE = 20
_PUBLISHING = 60.0
"""Seconds of a training's start and of comparing its weights with the shipped ones."""

_MACHINE = """
import json, platform, torch
gpu = torch.cuda.is_available()
facts = {"gpu": torch.cuda.get_device_name() if gpu else None, "torch": torch.__version__}
facts |= {"python": platform.python_version(), "cuda": torch.version.cuda}
facts["capability"] = list(torch.cuda.get_device_capability()) if gpu else None
try:
    import triton
    facts["triton"] = triton.__version__
except ImportError:
    facts["triton"] = None
print(json.dumps(facts))
"""


@dataclass(frozen=True)
class Plan:
    """Steps and their sizes.

    Args:
        rehearse: Small sizes, on the CPU.
        work: Folder of the trainings.
        pack: File of crops and wheels.
        python: Interpreter.
    """

    rehearse: bool
    work: Path
    pack: Path
    python: str = sys.executable

    def steps(self) -> list[Step]:
        """Steps before the trainings, with the seconds each may take."""
        script = [self.python, "benchmarks/gpu_pack.py", str(self.work), "--file", str(self.pack)]
        return [
            self._step("machine", "The machine", 20, [self.python, "-c", _MACHINE], read_machine),
            # another machine has no files yet
            replace(self._step("files", "Files for the training", 60, script), always=True),
            self._tests("tests", "Tests, those most likely to fail first", 90, ()),
            self._times("forward", 60),
            self._times("backward", 60),
            self._times("flex", 50),
            self._times("dictionary", 20),
            self._gradient(),
        ]

    def other_tests(self, done: Sequence[str]) -> Step:
        """The tests that the first step did not reach."""
        return self._tests("other tests", "The other tests", 60, done)

    def training(self, task: str, seconds: float) -> Step:
        """A training that ends, its weights compared with the shipped ones, within the seconds."""
        return Step(
            f"train {task}",
            f"Training of {task}",
            seconds,
            partial(self._train, task),
            read_training,
            self._variables(PYTHONPATH=f"{ROOT}{os.pathsep}{self.work / 'site'}"),
            self.work,
            least=3 if self.rehearse else _PUBLISHING + 30,
            needs=("files",),
        )

    def _train(self, task: str, seconds: float) -> list[str]:
        minutes = 1.5 / 60 if self.rehearse else (seconds - _PUBLISHING) / 60
        light = task == LIGHT
        command = [self.python, "-m", "semanir_arch.weights"]
        command += ["--folder", str(self.work / ("light" if light else "weights"))]
        command += ["train", "sr_x2" if light else task, "--minutes", f"{minutes:.3f}"]
        changes = []
        if light:
            file = ROOT / "options/_base_/network/semanir_light.yml"
            network = yaml.safe_load(file.read_text(encoding="utf-8"))["network_g"]
            network = {"blocks": 0} | network | {"upscale": 2}
            changes += [f"name={LIGHT}"]
            changes += [f"network_g:{key}={json.dumps(value)}" for key, value in network.items()]
        if self.rehearse:
            changes += ["datasets:train:patch_size=32", "datasets:train:batch_size_per_gpu=1"]
            changes += ["logger:use_tb_logger=false"]
        return [*command, *(["--force_yml", *changes] if changes else [])]

    def _tests(self, name: str, title: str, seconds: float, done: Sequence[str]) -> Step:
        chosen = [f"{TESTS}::{test}" for test in ORDER]
        command = [self.python, "-m", "pytest", "-v", "-rfE", "--tb=line", "-p", "no:cacheprovider"]
        # the fixtures of all tests import packages that only they need
        command += ["--noconftest"]
        if self.rehearse:
            chosen += INTERPRETED
        elif importlib.util.find_spec("xdist") is not None:
            workers = max(1, min(_WORKERS, (os.cpu_count() or 1) - 2))
            # one test at a time and worker, or the order would be lost
            command += ["-n", str(workers), "--maxschedchunk", "1"]
        command += [*chosen, *(word for test in done for word in ("--deselect", test))]
        variables = self._variables(**({"TRITON_INTERPRET": "1"} if self.rehearse else {}))
        return self._step(name, title, seconds, command, read_tests, variables)

    def _times(self, part: str, seconds: float) -> Step:
        command = [self.python, "benchmarks/bench_ops.py", part]
        command += ["--rounds", "1", "--dry-run"] if self.rehearse else ["--rounds", "5"]
        # compiling FlexAttention for a processor takes half a minute and says nothing
        variables = self._variables(**({"TORCHDYNAMO_DISABLE": "1"} if self.rehearse else {}))
        return self._step(part, f"Times: {part}", seconds, command, read_rows, variables)

    def _gradient(self) -> Step:
        command = [self.python, "benchmarks/bias_gradient.py"]
        command += ["--small"] if self.rehearse else []
        variables = self._variables(**({"TRITON_INTERPRET": "1"} if self.rehearse else {}))
        title = "The bfloat16 gradient of the bias"
        return self._step("bias gradient", title, 45, command, read_rows, variables)

    def _step(
        self,
        name: str,
        title: str,
        seconds: float,
        command: Sequence[str],
        read: Callable[[str], dict[str, Any]] = lambda _: {},
        variables: Mapping[str, str] | None = None,
    ) -> Step:
        chosen = self._variables() if variables is None else variables
        # a rehearsal shares its processor with others, and shall not fail for that
        limit = seconds * _PATIENCE if self.rehearse else seconds
        return Step(name, title, limit, lambda _: command, read, chosen, ROOT)

    def _variables(self, **more: str) -> dict[str, str]:
        small = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} if self.rehearse else {}
        return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | small | more


def run(session: Session, plan: Plan, tasks: Sequence[str]) -> None:
    """Do everything, in order.

    Args:
        session: Session that keeps time and record.
        plan: Plan of what to do.
        tasks: Tasks to train for.
    """
    try:
        for step in plan.steps():
            report(session, step, session.run(step))
        tests = session.record["steps"]["tests"]
        if len(tests.get("tests", ())) < tests.get("chosen", 0):
            step = plan.other_tests(list(tests["tests"]))
            report(session, step, session.run(step))
        for index, task in enumerate(tasks):
            share = (session.left() - GRACE) / (len(tasks) - index)
            step = plan.training(task, share)
            report(session, step, session.run(step))
            keep_weights(session, plan.work, task)
    finally:
        log = session.output / LOG
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        write_text(session.output / REPORT, write_report(session.record, text))


def report(session: Session, step: Step, status: str) -> None:
    """Say how a step ended."""
    last = session.record["steps"][step.name].get("last line", "")
    sys.stdout.write(f"{step.title}: {status}; {session.left():.0f} s left. {last}\n")
    sys.stdout.flush()


def keep_weights(session: Session, work: Path, task: str) -> None:
    """Copy what a training has brought to the results: better weights, or unfinished ones."""
    entry = session.record["steps"][f"train {task}"]
    folder, name = (work / "light", "sr_x2") if task == LIGHT else (work / "weights", task)
    if entry.get("published"):
        for suffix in (".safetensors", ".json"):
            copy_file(folder / f"{name}{suffix}", session.output / f"{task}{suffix}")
    experiment = work / "experiments" / (LIGHT if task == LIGHT else f"shipped_{task}")
    latest = experiment / "models" / "net_g_latest.pth"
    unfinished = session.output / f"{task}_unfinished.pth"
    unfinished.unlink(missing_ok=True)
    if entry["status"] in ("killed", "failed") and latest.is_file():
        copy_file(latest, unfinished)


def choose_tasks(wanted: str) -> tuple[str, ...]:
    """Choose what to train: "shipped", "none" or the name of the light network."""
    if wanted == "none":
        return ()
    if wanted == LIGHT:
        return (LIGHT,)
    leaves = ROOT / "options/shipped"
    return tuple(task for task in SHIPPED if (leaves / f"{task}.yml").is_file())


def fingerprint() -> str:
    """Digest of the operators, their tests and this script: other code must pass again."""
    folders = ("semanir_arch/ops", "tests/ops", "benchmarks")
    files = [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.suffix in (".py", ".cpp", ".h"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def prepare_rehearsal(output: Path) -> Path:
    """Two photographs that nobody took, packed like real ones; returns the file."""
    import numpy as np
    from gpu_pack import make_pack

    from semanir_arch.data.files.image_io import write_image
    from semanir_arch.shipping.packed_crops import Pack

    shutil.rmtree(output, ignore_errors=True)
    packs = []
    for seed, name in enumerate(("train", "validation")):
        folder = output / "photographs" / name
        folder.mkdir(parents=True)
        waves = np.random.default_rng(seed).uniform(0.01, 0.1, (2, 1, 1, 3))
        y, x = np.mgrid[:144, :144]
        picture = 127.5 + 127.5 * np.sin(waves[0] * x[..., None] + waves[1] * y[..., None])
        write_image(folder / "waves.png", picture.astype(np.uint8))
        packs.append(Pack(name, (str(folder),), 136, centred=name == "validation"))
    make_pack(output / "pack.tar", tree=0, packs=packs, wheels=None)
    return output / "pack.tar"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Use a few minutes of a GPU.", epilog="See docs/gpu.md."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--rehearse", action="store_true", help="the same in small, without a GPU")
    what.add_argument("--pack", action="store_true", help="write build/gpu_hour.tar")
    what.add_argument("--adopt", type=Path, metavar="FOLDER", help="take over what a run showed")
    parser.add_argument(
        "--train", choices=("shipped", LIGHT, "none"), default="shipped", help="what to train"
    )
    parser.add_argument("--minutes", type=float, default=13, help="for all calls together")
    parser.add_argument("--output", type=Path, help="folder of the results; default: in build/")
    parser.add_argument("--again", action="store_true", help="forget earlier calls")
    parser.add_argument(
        "--wheel", action="append", default=[], metavar="NAME==VERSION", help="--pack it too"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 if nothing failed and nothing speaks against the kernels, 2 if nothing can be done."""
    arguments = parse_arguments(argv)
    try:
        if arguments.pack:
            from gpu_pack import WHEELS, make_pack

            make_pack(wheels=[*WHEELS, *arguments.wheel])
            return 0
        if arguments.adopt:
            from gpu_adopt import adopt

            sys.stdout.write("\n".join(adopt(arguments.adopt, ROOT)) + "\n")
            return 0
    except (OSError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"gpu_hour: {error}\n")
        return 2
    return use_gpu(arguments)


def use_gpu(arguments: argparse.Namespace) -> int:
    """The run itself, or its rehearsal."""
    import torch
    from gpu_pack import FILE

    rehearse = arguments.rehearse
    if not rehearse and not torch.cuda.is_available():
        sys.stderr.write("gpu_hour: torch sees no CUDA device here; --rehearse needs none\n")
        return 2
    output = (arguments.output or (REHEARSAL if rehearse else OUTPUT)).resolve()
    if arguments.again:
        shutil.rmtree(output, ignore_errors=True)
        shutil.rmtree(WORK, ignore_errors=True)
    plan = Plan(rehearse, WORK, FILE)
    if rehearse:
        plan = Plan(rehearse, output / "work", prepare_rehearsal(output))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    facts = {"rehearsal": rehearse, "gpu": gpu, "code": fingerprint()}
    seconds = 60 * arguments.minutes * (_PATIENCE if rehearse else 1)
    session = Session(output, seconds - (time.monotonic() - BEGAN), facts=facts)
    session.record.setdefault("date", f"{datetime.now(UTC):%Y-%m-%d}")
    # a caller that ends this process shall find the record complete and no child running
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with contextlib.suppress(KeyboardInterrupt):
        tasks = choose_tasks(arguments.train)
        # the second training goes the same way
        run(session, plan, tasks[:1] if rehearse else tasks)
    doubts = [] if rehearse else find_doubts(session.record)
    sys.stdout.write("".join(f"doubt: {doubt}\n" for doubt in doubts))
    sys.stdout.write(f"Results: {output}\n")
    failed = [e["title"] for e in session.record["steps"].values() if e["status"] != "passed"]
    return 1 if failed or doubts else 0


if __name__ == "__main__":
    sys.exit(main())
