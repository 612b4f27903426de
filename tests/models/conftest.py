"""Options of a model that trains a network of a few hundred parameters."""

from __future__ import annotations

from tests.small_runs import options  # noqa: F401 - fixture
