"""A warm start: in the first iterations only the named parts of a network are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Length, Option, hint, read_options

__all__ = ["OPTIONS", "WarmStart", "members"]

OPTIONS = {
    "except": Option(
        Annotated[list[str], Length(1)],
        help="modules that are trained from the start, such as [to_target]",
    ),
    "iters": Option(
        Annotated[int, Bounds(1)], help="iterations in which all others keep their weights"
    ),
    "restart_schedule": Option(
        bool,
        default=False,
        help="keep the initial learning rate meanwhile, and count warm-up and schedule afterwards",
    ),
}


@dataclass(frozen=True)
class WarmStart:
    """Frozen modules, and the length of the freeze.

    Args:
        trained: Modules or parameters that are not frozen, by the beginning of their names.
        iters: Iterations.
        restart_schedule: Whether the schedule begins when everything is trained.
    """

    trained: tuple[str, ...]
    iters: int
    restart_schedule: bool

    @classmethod
    def read(cls, block: Mapping[str, Any]) -> WarmStart:
        """Read the option block `train.freeze`.

        Raises:
            ValueError: An option is missing.
        """
        options = read_options(OPTIONS, block)
        return cls(tuple(options["except"]), options["iters"], options["restart_schedule"])

    def frozen(self, network: nn.Module) -> list[nn.Parameter]:
        """The parameters to freeze.

        Raises:
            ValueError: See `members`.
        """
        trained = members(network, self.trained, "train:freeze:except")
        return [value for name, value in network.named_parameters() if name not in trained]


def members(network: nn.Module, parts: Sequence[str], option: str) -> set[str]:
    """Names of all parameters of some modules.

    Args:
        network: The network.
        parts: Modules or parameters, by the beginning of their names.
        option: Option that lists them, for error messages.

    Raises:
        ValueError: A name belongs to no parameter; says which is near.
    """
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(_within(name, part) for name in names):
            known = {
                ".".join(words[:length])
                for words in (name.split(".") for name in names)
                for length in range(1, len(words) + 1)
            }
            near = hint(part, known if "." in part else {name.split(".")[0] for name in known})
            raise InputError(
                f"{option}: {type(network).__name__} has no parameters in {part!r}; {near}"
            )
    return {name for name in names if any(_within(name, part) for part in parts)}


def _within(parameter: str, part: str) -> bool:
    return parameter == part or parameter.startswith(f"{part}.")
