"""Waiting threads must not spin, unless the user wants them to."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from semanir_arch.utils.threads import wait_idly


def test_policy_is_set_once_and_the_users_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    wait_idly()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    wait_idly()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_importing_the_module_does_not_load_torch() -> None:
    check = "import sys, semanir_arch.utils.threads; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
