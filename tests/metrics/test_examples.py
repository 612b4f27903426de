"""The examples in docstrings are right."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["data.preparation.patches", "metrics.psnr", "metrics.ssim"])
def test_examples_run(name):
    module = importlib.import_module(f"semanir_arch.{name}")
    failures, count = doctest.testmod(module)
    assert count > 0
    assert failures == 0
