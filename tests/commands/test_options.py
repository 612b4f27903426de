"""`python -m semanir_arch.utils.options LEAF` prints what BasicSR will see."""

from __future__ import annotations

import yaml

from semanir_arch.commands.options import main
from tests.helpers import ROOT

LEAF = str(ROOT / "options/train/denoising/SemanIR_color.yml")


def test_the_complete_file_is_printed(capsys):
    assert main([LEAF, "--force_yml", "vars:sigma=50", "train:optim_g:lr=1e-4"]) == 0
    options = yaml.safe_load(capsys.readouterr().out)
    assert options["datasets"]["train"]["sigma"] == 50
    assert options["train"]["optim_g"]["lr"] == 1e-4
    assert options["name"] == "SemanIR_color_sigma50"


def test_problems_are_told(capsys):
    assert main([LEAF, "--force_yml", "network_g:wdiths=[8]"]) == 2
    assert "did you mean 'widths'" in capsys.readouterr().err
