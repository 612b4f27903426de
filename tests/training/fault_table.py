"""The table of docs/reliability.md, from what the tests of faults have tried."""

from __future__ import annotations

import datetime
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
COMMAND = "python -m pytest tests/training/test_{faults,kills,states}.py --fault-table"

_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Fault:
    """One line of the table.

    Args:
        order: Place in the table.
        fault: What was done to a training.
        tried: How often.
        survived: What was left, and checked, every time.
    """

    order: int
    fault: str
    tried: int
    survived: str


def write(faults: list[Fault]) -> None:
    """Put the table, with its date and command, into the page."""
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [
        f"Run on {today} (PyTorch {torch.__version__.split('+')[0]}, "
        f"Python {platform.python_version()}, {platform.system()}, CPU) with",
        f"`{COMMAND}`.",
        "",
        "| fault | tried | what survived |",
        "| --- | ---: | --- |",
        *(
            f"| {f.fault} | {f.tried} | {f.survived} |"
            for f in sorted(faults, key=lambda f: f.order)
        ),
    ]
    text = PAGE.read_text(encoding="utf-8")
    table = "\n".join(lines) + "\n"
    PAGE.write_text(_TABLE.sub(lambda _: table, text), encoding="utf-8")
