"""The table of faults in docs/reliability.md."""

from __future__ import annotations

import pytest

from tests.small_runs import work  # noqa: F401 - fixture
from tests.training import fault_table


def pytest_addoption(parser):
    parser.addoption("--fault-table", action="store_true", help="write docs/reliability.md")


@pytest.fixture(scope="session")
def _faults(request):
    """Trials of each fault, by the fault's line; written at the end if no test has failed."""
    faults = {}
    yield faults
    if request.config.getoption("--fault-table", default=False) and not request.session.testsfailed:
        fault_table.write(list(faults.values()))


@pytest.fixture
def record(_faults):
    """Called by a test that has tried a fault, after all its checks."""

    def add(order, fault, tried, survived):
        known = _faults.get(fault)
        tried += known.tried if known else 0
        _faults[fault] = fault_table.Fault(order, fault, tried, survived)

    return add
