"""A training of a moment, and its test."""

from __future__ import annotations

from tests.small_runs import work  # noqa: F401 - fixture
