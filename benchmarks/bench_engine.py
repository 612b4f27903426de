"""The engine beside BasicSR's own loop: `python benchmarks/bench_engine.py [--output FILE]`.

Both train the same plain BasicSR option file, in processes of their own that take turns. BasicSR
gets only what it needs to be imported at all, and the network. Times are those of a wall clock,
from the start of the process on, so that imports and all preparation count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measure import header, markdown_table

from semanir_arch.data.files.image_io import write_image

ROOT = Path(__file__).parents[1]
IMAGES = 24
SIDE = 128
BASICSR = "BasicSR's loop, `SRModel`"
CANDIDATES = {
    BASICSR: ("basicsr", "SRModel"),
    "this engine, `SRModel`": ("engine", "SRModel"),
    "this engine, `RestorationModel`": ("engine", "RestorationModel"),
}
MEMORY = {
    "as it is": [],
    "accumulate: 4": ["train:accumulate=4"],
    "checkpointing: true": ["train:checkpointing=true"],
    "both": ["train:accumulate=4", "train:checkpointing=true"],
}
PHOTOS = ROOT / "datasets" / "train" / "CID22" / "training"
DENOISING = "options/quickstart/SemanIR_tiny_denoising.yml"

NETWORK: dict[str, Any] = {
    "type": "SemanIRUNet",
    "in_chans": 3,
    "widths": [24, 48],
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": [16, 8],
    "final_depth": 0,
    "k": 64,
    "bias_dim": 64,
}


@dataclass(frozen=True)
class Trace:
    """Notes of one training.

    Args:
        first: Seconds from the start of the process to the end of the first iteration.
        steps: Seconds from the end of one iteration to the end of the next, where nothing was
            saved between them.
        saves: Seconds of every save.
        peak: Bytes of main memory at most.
    """

    first: float
    steps: tuple[float, ...]
    saves: tuple[float, ...]
    peak: int


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time the training engine beside BasicSR's loop.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=5, help="trainings per candidate")
    parser.add_argument("--iterations", type=int, default=40, help="iterations per training")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments, rest = parser.parse_known_args()
    if arguments.child:
        run_child(arguments.child, rest)
        return
    with tempfile.TemporaryDirectory(prefix="semanir_bench_") as folder:
        work = Path(folder)
        make_images(work)
        sections = [
            header("Training engine"),
            side_by_side(work, arguments.rounds, arguments.iterations),
            waiting(work),
            memory(work),
        ]
    report = "\n".join(sections)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def side_by_side(work: Path, rounds: int, iterations: int) -> str:
    """Iterations, start-up and saves of the candidates."""
    traces: dict[str, list[Trace]] = {name: [] for name in CANDIDATES}
    for _ in range(rounds):
        for name, (kind, model) in CANDIDATES.items():
            file = write_options(work, model, iterations)
            traces[name].append(train(kind, work, ["-opt", file]))
    rows = []
    for name, runs in traces.items():
        steps, starts, saves = (
            [statistics.median(values(run)) for run in runs]
            for values in (
                lambda run: run.steps,
                lambda run: [run.first],
                lambda run: run.saves,
            )
        )
        cells = [f"{1e3 * statistics.median(steps):.1f}", ratio(steps, traces[BASICSR], "steps")]
        cells += [f"{statistics.median(starts):.2f}", ratio(starts, traces[BASICSR], "first")]
        rows.append([name, *cells, f"{1e3 * statistics.median(saves):.1f}"])
    columns = ["", "ms per iteration", "ratio", "s to the first iteration", "ratio", "ms per save"]
    return (
        "## The same option file\n\n`PairedImageDataset`, 4 patches of 64 x 64 per iteration, one "
        f"loading process, SemanIR U-shape of 0.18 M parameters; {rounds} trainings of "
        f"{iterations} iterations each, in turn. The first iteration is counted from the start of "
        "the process.\n\n"
        + markdown_table(columns, rows)
        + "\nA save of this engine reaches the disk (fsync), has checksums, and is read back "
        "complete or not at all; BasicSR's is left to the system.\n"
    )


def ratio(values: Sequence[float], reference: Sequence[Trace], name: str) -> str:
    """Median of the rounds' ratios."""
    others = (statistics.median(run.steps) if name == "steps" else run.first for run in reference)
    return f"{statistics.median(a / b for a, b in zip(values, others, strict=True)):.3f}"


def waiting(work: Path) -> str:
    """Shares of an iteration, for denoising with noise made on the fly."""
    real = PHOTOS.is_dir()
    folder = PHOTOS if real else work / "gt"
    settings = [
        f"datasets:train:dataroot_gt={folder}",
        f"datasets:val:dataroot_gt={work / 'gt'}",
        "datasets:train:cache=false",
    ]
    command = [sys.executable, ROOT / "train.py", "-opt", ROOT / DENOISING, "--profile", "20"]
    result = run([*command, "--force_yml", *settings], work)
    images = "photographs of 512 x 512" if real else f"generated images of {SIDE} x {SIDE}"
    return (
        f"## Where the time goes\n\n`train.py -opt {DENOISING} --profile 20`: 8 patches of "
        f"64 x 64 from {images}, decoded every time, noise made on the fly, one loading process."
        f"\n\n```\n{result.stdout.strip()}\n```\n"
    )


def memory(work: Path) -> str:
    """Peak memory with accumulation and checkpointing."""
    file = write_options(work, "RestorationModel", 4, batch=16)
    rows = []
    for name, settings in MEMORY.items():
        override = ["--force_yml", *settings] if settings else []
        trace = train("engine", work, ["-opt", file, *override])
        rows.append(
            [name, f"{trace.peak / 2**20:.0f}", f"{1e3 * statistics.median(trace.steps):.0f}"]
        )
    return (
        "## Memory\n\nThe same network, 16 patches of 64 x 64 per iteration; main memory of the "
        "process at most, of which Python, torch and BasicSR take about 700 MiB.\n\n"
        + markdown_table(["", "MiB", "ms per iteration"], rows)
    )


def make_images(work: Path) -> None:
    """Smooth random images and noisy versions of them: gt/ and lq/."""
    generator = np.random.default_rng(0)
    for index in range(IMAGES):
        coarse = generator.random((SIDE // 8, SIDE // 8, 3))
        clean = np.kron(coarse, np.ones((8, 8, 1)))
        noisy = clean + 0.1 * generator.standard_normal(clean.shape)
        for folder, image in (("gt", clean), ("lq", noisy)):
            (work / folder).mkdir(exist_ok=True)
            levels = (255 * image.clip(0, 1)).round().astype(np.uint8)
            write_image(work / folder / f"{index}.png", levels)


def write_options(work: Path, model: str, iterations: int, batch: int = 4) -> str:
    """A plain BasicSR option file; returns its name."""
    block = {
        "name": "pairs",
        "type": "PairedImageDataset",
        "dataroot_gt": str(work / "gt"),
        "dataroot_lq": str(work / "lq"),
        "io_backend": {"type": "disk"},
        "gt_size": 64,
        "use_hflip": True,
        "use_rot": True,
        "num_worker_per_gpu": 1,
        "batch_size_per_gpu": batch,
        # BasicSR starts its loading processes again in every pass; here there is one.
        "dataset_enlarge_ratio": 1000,
    }
    options = {
        "name": f"bench_{model}_{batch}",
        "model_type": model,
        "scale": 1,
        "num_gpu": 0,
        "manual_seed": 0,
        "datasets": {"train": block},
        "network_g": NETWORK,
        "path": {"pretrain_network_g": None, "strict_load_g": True, "resume_state": None},
        "train": {
            "total_iter": iterations,
            "warmup_iter": -1,
            "optim_g": {"type": "Adam", "lr": 0.001},
            "scheduler": {"type": "MultiStepLR", "milestones": [1000]},
            "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"},
        },
        "logger": {"print_freq": 10, "save_checkpoint_freq": 10, "use_tb_logger": True},
    }
    name = f"{model}.yml"
    (work / name).write_text(yaml.safe_dump(options, sort_keys=False))
    return name


def train(kind: str, work: Path, arguments: Sequence[str]) -> Trace:
    """Run one training in a process of its own."""
    start = time.time()
    result = run([sys.executable, __file__, "--child", kind, *arguments], work)
    noted = json.loads(result.stdout.splitlines()[-1])
    ends, busy = noted["ends"], noted["saves"]
    steps = [
        after - before
        for before, after in pairwise(ends)
        if not any(before < moment < after for moment, _ in busy)
    ]
    return Trace(ends[0] - start, tuple(steps), tuple(s for _, s in busy), noted["peak"])


def run(command: Sequence[object], work: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the working folder; its errors end the benchmark."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{command} failed:\n{result.stderr}")
    return result


def run_child(kind: str, arguments: Sequence[str]) -> None:
    """Train, and print what was noted as one line of JSON."""
    from semanir_arch.utils.threads import wait_idly

    wait_idly()
    ends: list[float] = []
    saves: list[tuple[float, float]] = []
    (train_with_basicsr if kind == "basicsr" else train_with_engine)(arguments, ends, saves)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write("\n" + json.dumps({"ends": ends, "saves": saves, "peak": peak}) + "\n")


def train_with_basicsr(
    arguments: Sequence[str], ends: list[float], saves: list[tuple[float, float]]
) -> None:
    """BasicSR's `train_pipeline`, with the import repaired and the network registered."""
    from semanir_arch import host
    from semanir_arch.archs import NETWORKS

    pipeline = host.load("basicsr.train").train_pipeline
    registry = host.load("basicsr.utils.registry").ARCH_REGISTRY
    registry.register(NETWORKS[NETWORK["type"]])
    model = host.load("basicsr.models.sr_model").SRModel
    note(model, "optimize_parameters", lambda _, end: ends.append(end))
    note(model, "save", lambda start, end: saves.append((start, end - start)))
    sys.argv[1:] = arguments
    pipeline(str(Path.cwd()))


def train_with_engine(
    arguments: Sequence[str], ends: list[float], saves: list[tuple[float, float]]
) -> None:
    """Train as train.py does."""
    from semanir_arch import host
    from semanir_arch.commands.train import main as train_main
    from semanir_arch.models.training_step import TrainingStep
    from semanir_arch.training.checkpointing import Saver

    for model in (TrainingStep, host.load("basicsr.models.sr_model").SRModel):
        note(model, "optimize_parameters", lambda _, end: ends.append(end))
    note(Saver, "save", lambda start, end: saves.append((start, end - start)))
    code = train_main(arguments)
    if code:
        sys.exit(code)


def note(owner: Any, name: str, tell: Callable[[float, float], object]) -> None:
    """Replace a method by one that tells when it began and ended, in seconds of the wall clock."""
    original = getattr(owner, name)

    def noted(*arguments: Any, **keywords: Any) -> Any:
        start = time.time()
        result = original(*arguments, **keywords)
        tell(start, time.time())
        return result

    setattr(owner, name, noted)


if __name__ == "__main__":
    main()
