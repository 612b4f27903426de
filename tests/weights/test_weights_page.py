"""docs/weights.md states what the records say."""

from __future__ import annotations

import re

import pytest

from semanir_arch.weights import available
from tests.helpers import ROOT

PAGE = (ROOT / "docs" / "weights.md").read_text()
SHIPPED = [pytest.param(entry, id=entry.task.name) for entry in available()]


@pytest.mark.parametrize("shipped", SHIPPED)
def test_every_score_is_that_of_the_record(shipped):
    training = shipped.record["training"]
    (row,) = re.findall(rf"^\| `{shipped.task.name}` \| SemanIR.*$", PAGE, re.M)
    for text in (f"{shipped.parameters:,d}", f"{training['iterations']:,d}"):
        assert f"| {text} |" in row
    stated = {
        (dataset, level): scores.split("/")
        for task, dataset, level, scores in re.findall(
            r"^\| `(\w+)` \| (\w+) \| (.*?) \|.*?\| \*\*([\d./]+)\*\* \|", PAGE, re.M
        )
        if task == shipped.task.name
    }
    measured: dict[str, list[str]] = {}
    for score in shipped.scores:
        measured.setdefault(score.dataset, []).append(f"{score.psnr:.2f}")
    assert {dataset: scores for (dataset, _), scores in stated.items()} == measured
