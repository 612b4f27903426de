"""How a class declares the options it reads: types, ranges, choices, defaults, help.

A class lists its options once; the validator, the documentation, tools and the class itself then
agree on them::

    class GaussianDenoisingDataset(Dataset):
        OPTIONS = {
            'sigma': Option(Strength(0, 500), help='noise standard deviation on the 0-255 scale'),
            'channels': Option(int, default=3, choices=(1, 3), help='1 reads gray, 3 reads RGB'),
            'patch_size': Option(Annotated[int, Bounds(1)], default=128, help='pixels'),
        }

Networks, losses, metrics and optimizers declare the same in the signature of their constructor:
`typing_rules.signature_options` makes `Option`s of it. A program that reads declarations (a schema
for editors, a table) finds in `Option.type`:

- a type or annotation of Python: `int`, `float` (any number), `bool`, `str`, `list[...]`,
  `Sequence[...]`, `tuple[...]`, `dict`, `Literal[...]`, unions; a tuple of them means "one of";
- `Annotated[type, mark, ...]` with marks of `semanir_arch.utils.values`: `Bounds` (numbers),
  `Length` and `Ascending` (lists), `OneOf` (choices), `FileName` (texts), `Entries` (mappings);
- `Strength`, whose `forms` are three such types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import (
    Ascending,
    Bounds,
    Entries,
    FileName,
    Length,
    OneOf,
    Strength,
    fault,
)

__all__ = [
    "REQUIRED",
    "Ascending",
    "Bounds",
    "Entries",
    "FileName",
    "Length",
    "OneOf",
    "Option",
    "Strength",
    "read_options",
]


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
        type: Type of the allowed values; see the text of this module. `float` accepts an integer;
            `int` does not accept a boolean; `None` is accepted if it is the default.
        default: Value used when the option is left out.
        help: Description in one line, with unit and range.
        choices: The allowed values, where they can be listed.
        evaluation: Type of the values that a data set's option may have in validation and tests, if
            that is less; None for the same.
        training_only: Restriction to training, for an option of a data set or at the top of a file:
            only training reads it, and may require it.
    """

    type: Any
    default: Any = REQUIRED
    help: str = ""
    choices: Sequence[Any] | None = None
    evaluation: Any = None
    training_only: bool = False

    @property
    def required(self) -> bool:
        """Whether an option file must give a value."""
        return self.default is REQUIRED

    def fault(self, value: Any, *, training: bool = True) -> str | None:
        """Describe what is allowed instead of a value; None if the value is allowed.

        Args:
            value: Value as a file gives it.
            training: Whether a training uses it, or an evaluation.
        """
        if value is None and self.default is None:
            return None
        if self.choices is not None and any(
            # True equals 1, and is not meant
            value == choice and isinstance(value, bool) == isinstance(choice, bool)
            for choice in self.choices
        ):
            return None
        kind = self.type if training or self.evaluation is None else self.evaluation
        problem = fault(value, kind)
        if problem is None and self.choices is not None:
            return f"allowed: {', '.join(map(repr, self.choices))}"
        return problem


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
        raise InputError(f"missing option(s): {', '.join(missing)}")
    return {name: given.get(name, option.default) for name, option in declared.items()}
