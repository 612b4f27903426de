"""Old module names lead to the present modules, not to copies of them."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

from semanir_arch.moved import MOVED
from tests.helpers import ROOT


def test_every_old_name_is_the_present_module():
    wrong = []
    for old, new in MOVED.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = importlib.import_module(f"semanir_arch.{old}")
        if found is not importlib.import_module(f"semanir_arch.{new}"):
            wrong.append(old)
        if found.__spec__.name != f"semanir_arch.{new}":
            wrong.append(f"{old}: {found.__spec__.name}")
    assert not wrong


def test_modules_inside_a_moved_package_are_no_copies():
    sys.modules.pop("semanir_arch.inference.serve.app", None)
    with pytest.warns(DeprecationWarning, match=r"semanir_arch.inference.serve.app is now"):
        found = importlib.import_module("semanir_arch.inference.serve.app")
    assert found is importlib.import_module("semanir_arch.restoring.serve.app")


def test_names_that_never_existed_are_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("semanir_arch.engine.nothing")


@pytest.mark.parametrize("name", ["inference.export", "engine.train"])
def test_an_old_name_runs_as_a_command(name):
    """The second takes its own name from `sys.argv`."""
    command = [sys.executable, "-m", f"semanir_arch.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
