"""docs/degradations.md shows what the code declares, and its commands and pictures exist."""

from __future__ import annotations

import re
import shlex

import pytest

from datasets_prep import generate_lq
from semanir_arch.data.degradations import (
    camera,
    correlated_noise,
    exposure,
    old_photograph,
    second_order,
    shuffled,
)
from semanir_arch.data.degradations.damage import Recipe
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.data.degradations.declaration import describe
from semanir_arch.data.files.image_io import load_image
from tests.helpers import ROOT

FILE = ROOT / "docs/degradations.md"
PAGE = FILE.read_text(encoding="utf-8")
LARGEST = 300_000


@pytest.mark.parametrize(
    "module", [camera, correlated_noise, second_order, shuffled, exposure, old_photograph]
)
def test_the_tables_are_those_of_the_declarations(module):
    assert describe(module.SETTINGS) in PAGE


def test_every_damage_with_settings_has_its_picture():
    shown = re.findall(r"\]\((degradations/\w+\.jpg)\)", PAGE)
    wanted = {
        f"degradations/{name}.jpg" for name, damage in DAMAGES.items() if isinstance(damage, Recipe)
    }
    assert wanted <= set(shown)
    for name in shown:
        file = ROOT / "docs" / name
        assert file.stat().st_size < LARGEST
        assert load_image(file).pixels.shape[1] > 500


def test_commands_are_understood():
    text = "".join(re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL))
    seen = 0
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[1:2] == ["datasets_prep/generate_lq.py"]:
            arguments = generate_lq._parse(words[2:])
            generate_lq.parse_degradation(arguments.damage, generate_lq._parameters(arguments))
            seen += 1
        for word in words:
            if word.startswith("options/"):
                assert (ROOT / word).is_file()
    assert seen == 3


def test_python_code_runs():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["old"].shape == names["target"].shape == (64, 64, 3)
    assert names["mask"].shape == (64, 64, 1)
