"""Fixtures and rules for every test."""

from __future__ import annotations

import logging
import os

import pytest
import torch

from tests.accelerators import accelerators  # noqa: F401 - fixture
from tests.browser import browser, chromium  # noqa: F401 - fixtures
from tests.each import WANTED, has_wanted_case, is_wanted, seed_all

# What somebody has compiled on this computer decides about no test, also not in the processes that
# tests start; tests of the library itself switch it on.
os.environ["SEMANIR_NATIVE"] = "off"


def pytest_addoption(parser):
    parser.addoption(
        "--case",
        action="append",
        default=[],
        metavar="WORD",
        help="only tests whose name has this word, and of tests over many cases those that have it",
    )


def pytest_configure(config):
    WANTED[:] = config.getoption("--case")


def pytest_collection_modifyitems(config, items):
    if WANTED:
        chosen = [i for i in items if is_wanted(i.name) or has_wanted_case(i.function)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _seeded():
    seed_all()


@pytest.fixture(autouse=True)
def _unchanged_logger():
    """BasicSR's logger is one for the whole process; every test finds it as it was."""
    logger = logging.getLogger("basicsr")
    level, propagate, handlers = logger.level, logger.propagate, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers = propagate, handlers
