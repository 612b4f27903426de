"""Scores without a target: through a stand-in for pyiqa, which tests do not install."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from semanir_arch import plugin
from semanir_arch.metrics import no_reference
from semanir_arch.metrics.no_reference import NO_REFERENCE, semanir_iqa
from tests.helpers import make_image


@pytest.fixture(autouse=True)
def _forget():
    no_reference._scorer.cache_clear()


@pytest.fixture
def pyiqa(monkeypatch):
    """A package that scores the red of the first pixel."""

    def create_metric(model, device):
        if model == "clipiqa":
            raise OSError("no route to host")
        return lambda image: image[0, 0, 0, 0]

    module = types.SimpleNamespace(
        list_models=lambda metric_mode: ["musiq", "clipiqa"], create_metric=create_metric
    )
    monkeypatch.setitem(sys.modules, "pyiqa", module)


def test_the_model_sees_rgb_in_unit_range_inside_the_border(pyiqa):
    image = make_image((12, 14, 3))
    assert semanir_iqa(image, crop_border=2) == pytest.approx(image[2, 2, 2] / 255)
    assert (
        semanir_iqa(image[..., :1])
        == semanir_iqa(image[..., 0])
        == image[0, 0, 0] / np.float32(255)
    )


def test_what_cannot_be_scored_is_said(pyiqa, monkeypatch):
    image = make_image((12, 14, 3))
    with pytest.raises(FileNotFoundError, match=r"no route to host.*pyiqa\.create_metric"):
        semanir_iqa(image, model="clipiqa")
    with pytest.raises(ValueError, match="'psnr' is none of pyiqa's without a target: musiq"):
        semanir_iqa(image, model="psnr")
    with pytest.raises(ValueError, match="crop_border=6 leaves nothing"):
        semanir_iqa(image, crop_border=6)
    with pytest.raises(TypeError, match="must be uint8"):
        semanir_iqa(image.astype(float))
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    no_reference._scorer.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="musiq needs the package pyiqa"):
        semanir_iqa(image)


def test_all_of_them_are_registered():
    assert NO_REFERENCE - {"calculate_niqe"} <= plugin.ENTRIES["METRIC_REGISTRY"].keys()
