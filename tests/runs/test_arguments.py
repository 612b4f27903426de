"""Flags are BasicSR's."""

from __future__ import annotations

import pytest

from semanir_arch.runs.arguments import parse_arguments


def test_flags_of_basicsr_are_understood():
    argv = [
        "-opt",
        "a.yml",
        "--launcher",
        "pytorch",
        "--auto_resume",
        "--debug",
        "--force_yml",
        "a=1",
        "b:c=2",
    ]
    arguments = parse_arguments(argv, "")
    assert (arguments.opt, arguments.launcher) == ("a.yml", "pytorch")
    assert arguments.auto_resume
    assert arguments.debug
    assert arguments.force_yml == ["a=1", "b:c=2"]


@pytest.mark.parametrize("flag", ["--local_rank=1", "--local-rank=1"])
def test_both_spellings_of_the_local_rank_are_accepted(flag):
    """As reported in BasicSR #626."""
    assert parse_arguments(["-opt", "a.yml", flag], "").local_rank == 1


def test_a_missing_option_file_ends_with_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse_arguments([], "")
    assert "-opt" in capsys.readouterr().err


def test_flags_of_a_test_are_not_those_of_a_training():
    given = ["-opt", "a.yml", "--weights", "w.pth", "--k", "64,128", "--tile", "auto"]
    given += ["--ensemble", "--skip-missing", "--fresh", "--sweep", "a=1", "--sweep", "b=2,3"]
    arguments = parse_arguments(given, "", is_train=False)
    assert (arguments.weights, arguments.k, arguments.tile) == ("w.pth", "64,128", "auto")
    assert arguments.ensemble
    assert arguments.skip_missing
    assert arguments.fresh
    assert arguments.sweep == ["a=1", "b=2,3"]
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(given, "")
