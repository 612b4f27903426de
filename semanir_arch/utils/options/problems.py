"""What can be wrong with an option file, and how it is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.suggestions import nearest

KeyPath = tuple[str, ...]
"""Keys from the top of an option file down to one value."""


_MOST = 50
_SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """One thing to correct.

    Args:
        origin: Place where the value was written: `file:line`, a file, or the command line.
        key: Key of the value.
        text: Received value and what is allowed.
    """

    origin: str
    key: KeyPath
    text: str

    def __str__(self) -> str:
        where = f"{self.origin}: " if self.origin else ""
        what = f"{join(self.key)}: " if self.key else ""
        return f"{where}{what}{self.text}"


class OptionError(InputError):
    """Everything that is wrong with an option file, one line per problem."""

    def __init__(self, problems: Problem | Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            # torch makes it anew from its text, where a loading process raised it
            problems = Problem("", (), problems)
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        count = len(self.problems)
        headline = [f"{count} problems with the options:"] if count > 1 else []
        super().__init__("\n".join([*headline, *map(str, self.problems)]))


def add(problems: list[Problem], problem: Problem) -> None:
    """Collect a problem; a file with very many is refused at once.

    Raises:
        OptionError: There are more than anybody would read.
    """
    problems.append(problem)
    if len(problems) >= _MOST:
        rest = Problem("", (), "and perhaps more; the rest of the file was not read")
        raise OptionError([*problems, rest])


def join(key: KeyPath) -> str:
    """A key path as `--force_yml` writes it: `train:optim_g:lr`."""
    return ":".join(key)


def hint(name: str, allowed: Iterable[str]) -> str:
    """`did you mean 'x'?` where a name is close, else the list of what is allowed."""
    names = sorted(map(str, allowed))
    near = nearest(name, names)
    if near:
        return f"did you mean {near!r}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown_names = ", ".join(names[:_SHOWN])
    return f"allowed: {shown_names}{more}" if names else "nothing is allowed here"


def shown(path: str | os.PathLike[str]) -> str:
    """A file's name for messages: relative to the working folder where it lies inside."""
    path = Path(os.path.normpath(Path.cwd() / path))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
