"""Fixtures and rules for every test."""

from __future__ import annotations

import logging
import os
import random

import numpy as np
import pytest
import torch

from tests.browser import browser, chromium  # noqa: F401 - fixtures

# What somebody has compiled on this computer decides about no test, also not in the processes that
# tests start; tests of the library itself switch it on.
os.environ["SEMANIR_NATIVE"] = "off"


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - BasicSR draws from numpy's global generator
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _unchanged_logger():
    """BasicSR's logger is one for the whole process; every test finds it as it was."""
    logger = logging.getLogger("basicsr")
    level, propagate, handlers = logger.level, logger.propagate, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers = propagate, handlers
