"""docs/weights.md states what the records say."""

from __future__ import annotations

import re

from semanir_arch.commands.weights import main
from tests.helpers import ROOT

PAGE = (ROOT / "docs" / "weights.md").read_text()


def test_the_tables_are_those_of_the_command(capsys):
    assert main(["table"]) == 0
    (stated,) = re.findall(r"<!-- scores -->\n(.*?)<!-- /scores -->", PAGE, re.S)
    assert stated == capsys.readouterr().out
