"""Small option files."""

from __future__ import annotations

import pytest


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files below a temporary working folder; returns a function of name and text."""
    monkeypatch.chdir(tmp_path)

    def _write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path.relative_to(tmp_path)

    return _write
