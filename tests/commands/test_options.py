"""`python -m semanir_arch.utils.options LEAF` prints what BasicSR will see."""

from __future__ import annotations

import yaml

from semanir_arch.commands.options import main
from tests.helpers import ROOT

LEAF = str(ROOT / "options/denoising/SemanIR_color.yml")


def test_the_complete_file_is_printed(capsys):
    assert main([LEAF, "--force_yml", "vars:sigma=50", "train:optim_g:lr=1e-4"]) == 0
    options = yaml.safe_load(capsys.readouterr().out)
    assert options["datasets"]["train"]["sigma"] == 50
    assert options["train"]["optim_g"]["lr"] == 1e-4
    assert options["name"] == "SemanIR_color_sigma50"


def test_problems_are_told(capsys):
    assert main([LEAF, "--force_yml", "network_g:wdiths=[8]"]) == 2
    assert "did you mean 'widths'" in capsys.readouterr().err


def test_what_a_test_reads_is_printed_on_request_and_for_former_names_of_tests(capsys):
    for words in ([LEAF, "--test"], [LEAF.replace("options/", "options/test/")]):
        assert main(words) == 0
        options = yaml.safe_load(capsys.readouterr().out)
        assert "train" not in options
        assert [*options["datasets"]] == [
            "val_CBSD68",
            "val_Kodak24",
            "val_McMaster",
            "val_Urban100",
        ]


def test_a_file_without_training_is_printed_as_a_test(capsys):
    assert main([LEAF.replace("denoising/SemanIR_color", "deblurring/SemanIR_realblur")]) == 0
    assert "train" not in yaml.safe_load(capsys.readouterr().out)
