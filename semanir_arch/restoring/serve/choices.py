"""What the page offers: shipped networks by task, or the one file that was named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semanir_arch.utils.errors import InputError
from semanir_arch.weights import available, find

__all__ = ["NetworkChoice", "find_choices", "split_choice"]

_LONGEST_CHAIN = 3


@dataclass(frozen=True)
class NetworkChoice:
    """One line of the menu.

    Attributes:
        name: Short, unique.
        title: Title in one line.
        weights: A network's file; None for the one that is shipped for the task of this name.
        input: Condition that a photo must meet so that the network helps; may be empty.
        scale: Factor by which the result is larger.
        demonstration: Whether the network only shows the task; see `semanir_arch.tasks.Task`.
        strength: Argument of `Restorer.restore` that may bound it: "sigma", "quality", None.
    """

    name: str
    title: str
    weights: Path | None = None
    input: str = ""
    scale: int = 1
    demonstration: bool = False
    strength: str | None = None


def find_choices(weights: Path | None = None, task: str | None = None) -> Sequence[NetworkChoice]:
    """List what can be offered.

    Args:
        weights: File of the only network to offer.
        task: Shipped task to offer alone.

    Raises:
        ValueError: The task is unknown, or nothing is shipped.
        FileNotFoundError: Nothing is shipped for the task.
    """
    if weights is not None:
        return [NetworkChoice("weights", weights.name, weights)]
    shipped = [find(task)] if task is not None else available()
    if not shipped:
        raise InputError("no weights are shipped with this version; name a file with --weights")
    return [
        NetworkChoice(
            name=one.task.name,
            title=one.task.title,
            input=one.task.input,
            scale=one.task.scale,
            demonstration=one.task.demonstration,
            strength=one.task.strength,
        )
        for one in shipped
    ]


def split_choice(text: str, choices: Mapping[str, NetworkChoice]) -> list[NetworkChoice]:
    """The choices that a text such as `jpeg+sr_x2` names, in the order in which they run.

    Raises:
        ValueError: One is unknown, or demosaicking is not the first.
    """
    names = text.split("+")
    unknown = [name for name in names if name not in choices]
    if unknown or len(names) > _LONGEST_CHAIN:
        raise InputError(
            f"unknown task; allowed: {', '.join(choices)}, or up to {_LONGEST_CHAIN} of them "
            "joined by +"
        )
    if "demosaic" in names[1:]:
        raise InputError("task 'demosaic' must be the first of a chain")
    return [choices[name] for name in names]
