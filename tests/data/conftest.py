"""How the property tests of this folder run."""

from __future__ import annotations

from hypothesis import settings

# the same examples in every run, and no files beside the tests
settings.register_profile("data", deadline=None, max_examples=50, derandomize=True, database=None)
settings.load_profile("data")
