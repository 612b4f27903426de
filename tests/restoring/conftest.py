from __future__ import annotations

import pytest

from semanir_arch.archs import NETWORKS
from tests.restoring.networks import Plain


@pytest.fixture
def plain(monkeypatch):
    """The network `Plain` is known."""
    monkeypatch.setitem(NETWORKS, "Plain", Plain)
