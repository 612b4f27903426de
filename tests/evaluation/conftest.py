"""A training of a moment, its test, and the options of its model."""

from __future__ import annotations

from tests.small_runs import options, work  # noqa: F401 - fixtures
