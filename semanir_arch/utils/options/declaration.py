"""How a dataset or a model declares the options it reads.

A class lists its options once, with type, default and unit; the validator, the documentation and
the class itself then agree on them::

    class GaussianDenoisingDataset(Dataset):
        OPTIONS = {
            'sigma': Option((int, float, list), help='noise standard deviation on the 0-255 scale'),
            'channels': Option(int, default=3, choices=(1, 3), help='1 reads gray, 3 reads RGB'),
        }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class _Required(Enum):
    REQUIRED = "REQUIRED"

    def __repr__(self) -> str:
        return self.value


REQUIRED = _Required.REQUIRED
"""Default of an option that has none: leaving it out is an error."""


@dataclass(frozen=True)
class Option:
    """One declared option.

    Args:
        type: What a value may be: a type, a typing annotation such as `list[int]`, or a tuple of
            them. `float` accepts an integer; `int` does not accept a boolean; `None` is accepted
            where it is the default.
        default: Value used when the option is left out.
        help: One line with unit and range.
        choices: The allowed values, where they can be listed.
    """

    type: Any
    default: Any = REQUIRED
    help: str = ""
    choices: Sequence[Any] | None = None

    @property
    def required(self) -> bool:
        """Whether an option file must give a value."""
        return self.default is REQUIRED


def read_options(declared: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all declared options: the given ones, defaults for the rest.

    Keys that are not declared are left out, so the result holds nothing the class did not ask for.

    Args:
        declared: The class's `OPTIONS`.
        given: The block of the option file.

    Raises:
        ValueError: A required option is missing.
    """
    missing = [name for name, option in declared.items() if option.required and name not in given]
    if missing:
        raise ValueError(f"missing option(s): {', '.join(missing)}")
    return {name: given.get(name, option.default) for name, option in declared.items()}
