"""pyiqa's measures get the images that they expect, and are never required."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from semanir_arch.bridges import iqa
from semanir_arch.bridges.iqa import semanir_pyiqa
from semanir_arch.metrics import REGISTERED
from tests.helpers import make_image


@pytest.fixture(autouse=True)
def _fresh():
    iqa._measure.cache_clear()
    yield
    iqa._measure.cache_clear()


@pytest.fixture
def seen(monkeypatch):
    """Pyiqa with one measure that compares and one that does not, and what they were given."""
    given = []

    def create_metric(name, device, as_loss):
        def measure(*images):
            given.append(images)
            return torch.tensor(float(len(images)))

        measure.metric_mode = "FR" if name == "dists" else "NR"
        return measure

    fake = SimpleNamespace(create_metric=create_metric, list_models=lambda: ["dists", "musiq"])
    monkeypatch.setitem(sys.modules, "pyiqa", fake)
    return given


def test_measures_get_rgb_from_0_to_1_inside_the_border(seen):
    image, target = make_image((12, 10, 3)), make_image((12, 10, 3), seed=1)
    assert semanir_pyiqa(image, target, metric="dists", crop_border=2) == 2
    for tensor, source in zip(seen[0], (image, target), strict=True):
        wanted = source[2:-2, 2:-2, [2, 1, 0]].astype(np.float32) / 255
        np.testing.assert_allclose(tensor[0].permute(1, 2, 0).numpy(), wanted, atol=1e-7)


def test_measures_without_reference_get_one_image_and_gray_becomes_three_channels(seen):
    assert semanir_pyiqa(make_image((12, 10)), make_image((12, 10)), metric="musiq") == 1
    assert semanir_pyiqa(make_image((12, 10, 1)), metric="musiq") == 1
    assert [tuple(images[0].shape) for images in seen] == [(1, 3, 12, 10)] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "dist"}, "'dist' is not one of pyiqa's 2 metrics; did you mean 'dists'"),
        ({"metric": "dists"}, "compares with a target, and there is none"),
        ({"metric": "dists", "img2": make_image((9, 9, 3))}, "shapes differ"),
        ({"metric": "musiq", "crop_border": 6}, "crop_border=6 leaves nothing of"),
    ],
)
def test_what_cannot_be_measured_is_told(seen, arguments, message):
    with pytest.raises(ValueError, match=message):
        semanir_pyiqa(make_image((12, 10, 3)), **arguments)


def test_images_of_another_type_are_refused(seen):
    with pytest.raises(TypeError, match="must be uint8, received float32"):
        semanir_pyiqa(make_image((12, 10, 3), np.float32), metric="musiq")


def test_without_pyiqa_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(ModuleNotFoundError, match="'dists' needs pyiqa: pip install --no-deps"):
        semanir_pyiqa(make_image((12, 10, 3)), make_image((12, 10, 3)))


def test_its_psnr_is_ours():
    """With pyiqa itself, where somebody has installed it."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed; it is no extra")
    pair = make_image((32, 30, 3)), make_image((32, 30, 3), seed=1)
    ours = REGISTERED["semanir_psnr"](*pair, crop_border=3)
    assert semanir_pyiqa(*pair, metric="psnr", crop_border=3) == pytest.approx(ours, abs=1e-4)
