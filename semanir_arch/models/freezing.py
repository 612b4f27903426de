"""A warm start: in the first iterations only the named parts of a network are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from semanir_arch.utils.options import Option, hint, read_options

__all__ = ["OPTIONS", "WarmStart"]

OPTIONS = {
    "except": Option(
        list[str], help="modules that are trained from the start, such as [to_target]"
    ),
    "iters": Option(int, help="iterations in which all others keep their weights"),
    "restart_schedule": Option(
        bool,
        default=False,
        help="keep the initial learning rate meanwhile, and count warm-up and schedule afterwards",
    ),
}


@dataclass(frozen=True)
class WarmStart:
    """What is frozen, and for how long.

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
        """From the option block `train.freeze`.

        Raises:
            ValueError: An option is missing.
        """
        options = read_options(OPTIONS, block)
        return cls(tuple(options["except"]), options["iters"], options["restart_schedule"])

    def frozen(self, network: nn.Module) -> list[nn.Parameter]:
        """The parameters to freeze.

        Raises:
            ValueError: A name belongs to no parameter; says which is near.
        """
        for name in self.trained:
            if not any(_within(parameter, name) for parameter, _ in network.named_parameters()):
                known = {
                    ".".join(parts[:length])
                    for parts in (each.split(".") for each, _ in network.named_parameters())
                    for length in range(1, len(parts) + 1)
                }
                near = hint(name, known if "." in name else {each.split(".")[0] for each in known})
                raise ValueError(
                    f"train:freeze:except: {type(network).__name__} has no parameters in {name!r}; "
                    f"{near}"
                )
        return [
            parameter
            for name, parameter in network.named_parameters()
            if not any(_within(name, part) for part in self.trained)
        ]


def _within(parameter: str, part: str) -> bool:
    return parameter == part or parameter.startswith(f"{part}.")
