"""Train, score and list the shipped networks: `python -m semanir_arch.weights COMMAND`.

`train TASK --minutes N` needs a checkout with datasets/train, `score TASK` one with datasets/test;
see docs/weights.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semanir_arch.tasks import NETWORK_TASKS, Task, get_task
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.errors import InputError
from semanir_arch.weights.catalogue import FOLDER, TRAIN_COMMAND, ShippedWeights, available

if TYPE_CHECKING:
    from semanir_arch.shipping.training import Attempt

__all__ = ["build_parser", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 2 if something given cannot be used, or 130 if a training was interrupted.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded(
        "weights",
        lambda: int(arguments.run(arguments)),
        interrupted="interrupted; run the same command again to continue",
    )


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        prog="python -m semanir_arch.weights",
        description="Train, score and list the shipped networks.",
        epilog="See docs/weights.md.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=FOLDER,
        help="folder of the shipped files; default: the package's",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="show what is shipped, with scores and origin")
    listing.set_defaults(run=_list)
    packing = commands.add_parser("pack", help="pack crops of datasets/train into datasets/packed")
    packing.set_defaults(run=_pack)
    training = commands.add_parser("train", help="train a network, and ship it if it is better")
    training.add_argument("task", metavar="TASK", help=", ".join(NETWORK_TASKS))
    training.add_argument(
        "--minutes", type=float, default=25, help="time to train; the schedule ends with it"
    )
    training.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    training.add_argument(
        "--start",
        metavar="FILE|none",
        help="weights to start from; default: the shipped ones of the task, or of a related one",
    )
    training.add_argument(
        "--force_yml", nargs="+", default=[], metavar="KEY:KEY=VALUE", help="change options"
    )
    training.set_defaults(run=_train)
    publishing = commands.add_parser(
        "publish", help="ship the weights of a finished training, if they are better"
    )
    publishing.add_argument("task", metavar="TASK", help=", ".join(NETWORK_TASKS))
    publishing.set_defaults(run=_publish)
    scoring = commands.add_parser("score", help="test shipped weights, and keep the scores")
    scoring.add_argument("task", metavar="TASK", nargs="+", help=", ".join(NETWORK_TASKS))
    scoring.set_defaults(run=_score)
    precision = commands.add_parser(
        "precision", help="measure what bfloat16 costs shipped weights, and keep it"
    )
    precision.add_argument("task", metavar="TASK", nargs="+", help=", ".join(NETWORK_TASKS))
    precision.set_defaults(run=_precision)
    table = commands.add_parser("table", help="the tables of docs/weights.md, in Markdown")
    table.set_defaults(run=_table)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    found = available(arguments.folder)
    if not found:
        sys.stdout.write("No weights are shipped.\n")
    for shipped in found:
        sys.stdout.write("\n".join([*_describe(shipped), ""]))
    return 0


def _pack(_: argparse.Namespace) -> int:
    from semanir_arch.shipping.packed_crops import pack

    for path, size in pack().items():
        sys.stdout.write(f"{path}: {size / 1e6:.1f} MB\n")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    task = get_task(arguments.task)
    from semanir_arch.shipping.packed_crops import pack
    from semanir_arch.shipping.training import train

    pack()
    experiment, attempt = train(
        task,
        arguments.minutes,
        device=arguments.device,
        start=arguments.start,
        overrides=arguments.force_yml,
        folder=arguments.folder,
    )
    if not attempt.is_finished:
        raise KeyboardInterrupt
    return _publish_training(task, experiment, attempt, arguments.folder)


def _publish(arguments: argparse.Namespace) -> int:
    task = get_task(arguments.task)
    from semanir_arch.shipping.training import find_experiment, read_attempt

    experiment = find_experiment(task)
    attempt = read_attempt(experiment)
    if attempt is None or not attempt.is_finished:
        raise InputError(
            f"{experiment}: no finished training; `{TRAIN_COMMAND.format(task=task.name)}` "
            "starts or continues one"
        )
    return _publish_training(task, experiment, attempt, arguments.folder)


def _publish_training(task: Task, experiment: Path, attempt: Attempt, folder: Path) -> int:
    from semanir_arch.shipping.publishing import publish

    replaced, new, old = publish(task, experiment, attempt, folder)
    for name, value in new.items():
        before = f", shipped before {old[name]:.3f} dB" if old else ""
        sys.stdout.write(f"{name}: {value:.3f} dB{before}\n")
    sys.stdout.write(
        f"Shipped. Measure it: python -m semanir_arch.weights score {task.name}\n"
        if replaced
        else "Not better than the shipped weights, which stay.\n"
    )
    return 0


def _score(arguments: argparse.Namespace) -> int:
    tasks = [get_task(name) for name in arguments.task]
    from semanir_arch.shipping.scoring import score

    for task in tasks:
        score(task, arguments.folder)
    for shipped in available(arguments.folder):
        if shipped.task in tasks:
            sys.stdout.write("\n".join([*_describe(shipped), ""]))
    return 0


def _precision(arguments: argparse.Namespace) -> int:
    tasks = [get_task(name) for name in arguments.task]
    from semanir_arch.shipping.publishing import measure_bfloat16

    for task in tasks:
        for name, cost in measure_bfloat16(task, arguments.folder).items():
            sys.stdout.write(f"{task.name}, {name}: bfloat16 costs {cost:.4f} dB\n")
    return 0


def _table(arguments: argparse.Namespace) -> int:
    from semanir_arch.shipping.tables import print_tables

    sys.stdout.write(print_tables(available(arguments.folder)))
    return 0


def _describe(shipped: ShippedWeights) -> list[str]:
    lines = [
        f"{shipped.task.name}: {shipped.task.title}, {shipped.parameters:,d} parameters",
        f"  for {shipped.task.input}",
        f"  {shipped.origin}",
    ]
    for score in shipped.scores:
        title = " ".join(filter(None, (score.dataset, score.level)))
        before = "" if score.psnr_input is None else f" (input {score.psnr_input:.2f})"
        lines.append(f"  {title}: {score.psnr:.2f} dB, SSIM {score.ssim:.4f}{before}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
