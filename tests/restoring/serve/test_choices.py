from __future__ import annotations

from pathlib import Path

import pytest

from semanir_arch.restoring.serve import choices
from semanir_arch.restoring.serve.choices import NetworkChoice, find_choices
from semanir_arch.weights import ShippedWeights, get_task


def shipped(name):
    return ShippedWeights(get_task(name), Path(f"{name}.safetensors"), {})


def test_the_menu_offers_what_is_shipped(monkeypatch):
    monkeypatch.setattr(choices, "available", lambda: [shipped("denoise"), shipped("sr_x4")])
    first, second = find_choices()
    assert (first.name, first.title, first.scale) == ("denoise", "Color denoising", 1)
    assert (second.name, second.scale, second.weights) == ("sr_x4", 4, None)
    assert first.input == get_task("denoise").input


def test_a_task_or_a_file_narrows_the_menu_to_one(monkeypatch):
    monkeypatch.setattr(choices, "find", shipped)
    assert [choice.name for choice in find_choices(task="deblur")] == ["deblur"]
    assert find_choices(task="deblur")[0].demonstration
    path = Path("somewhere/net.pth")
    assert find_choices(weights=path) == [NetworkChoice("weights", "net.pth", path)]


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match=r"task 'magic' is unknown; .*available: denoise"):
        find_choices(task="magic")


def test_without_shipped_weights_a_file_is_asked_for(monkeypatch):
    monkeypatch.setattr(choices, "available", list)
    with pytest.raises(ValueError, match="name a file with --weights"):
        find_choices()
