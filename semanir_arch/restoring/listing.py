"""What `semanir-restore --list` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from semanir_arch.tasks import NETWORK_TASKS, Task
from semanir_arch.weights import ShippedWeights, available
from semanir_arch.weights.catalogue import FOLDER, TRAIN_COMMAND, Score

__all__ = ["list_scores", "list_tasks"]


def list_tasks(folder: Path = FOLDER) -> str:
    """All tasks, a line each: what a picture looks like, and what is done.

    Args:
        folder: Folder of the shipped networks.
    """
    shipped = {weights.task.name for weights in available(folder)}
    lines = [f"{'auto':13} any picture: inspects it and chooses (the default)"]
    for task in NETWORK_TASKS.values():
        line = f"{task.name:13} {task.looks}: {_title(task)}"
        lines.append(line if task.name in shipped else f"{line}; no weights are shipped")
    lines.append("Several in order: --task jpeg+sr_x2. Your own network: --weights FILE.")
    lines.append("--list --scores: test scores. --diagnose: what a picture needs.")
    return "\n".join(lines)


def list_scores(folder: Path = FOLDER) -> str:
    """All tasks with their shipped networks, measured scores and origin.

    Args:
        folder: Folder of the shipped networks.
    """
    shipped = {weights.task.name: weights for weights in available(folder)}
    lines = []
    for task in NETWORK_TASKS.values():
        lines += [f"{task.name:13} {_title(task)}", f"{'':13} input: {task.input}"]
        weights = shipped.get(task.name)
        lines += [f"{'':13} {line}" for line in _lines(task, weights)]
    missing = len(NETWORK_TASKS) - len(shipped)
    lines.append(
        f"{len(shipped)} of {len(NETWORK_TASKS)} tasks have weights; --weights FILE takes others"
    )
    if missing:
        lines[-1] += f"; train with: {TRAIN_COMMAND.format(task='TASK')}"
    return "\n".join(lines)


def _title(task: Task) -> str:
    return f"{task.title} (demonstration)" if task.demonstration else task.title


def _lines(task: Task, weights: ShippedWeights | None) -> Iterator[str]:
    if task.strength:
        yield f"strength: --{task.strength}"
    if weights is None:
        yield "weights: none shipped"
        return
    size = weights.path.stat().st_size / 2**20
    yield f"weights: {weights.path} ({weights.parameters:,d} parameters, {size:.1f} MB)"
    yield f"origin: {weights.origin}"
    if not weights.scores:
        yield "scores: not measured yet"
    yield from map(_score, weights.scores)


def _score(score: Score) -> str:
    level = f", {score.level}" if score.level else ""
    before = "" if score.psnr_input is None else f" (input {score.psnr_input:.2f} dB)"
    return (
        f"score: {score.dataset}{level}: {score.psnr:.2f} dB, SSIM {score.ssim:.4f}{before}, "
        f"protocol {score.protocol}"
    )
