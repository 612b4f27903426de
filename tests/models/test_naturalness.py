from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from semanir_arch import host, plugin
from semanir_arch.models.naturalness import semanir_niqe


@pytest.fixture(scope="module")
def photo():
    """(288, 384, 3) BGR."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return np.ascontiguousarray(data.astronaut()[:288, :384, ::-1])


def test_value_is_basicsrs(photo):
    expected = host.load("basicsr.metrics.niqe").calculate_niqe(photo, 4)
    assert semanir_niqe(photo, crop_border=4) == expected
    assert 2 < expected < 10


def test_target_is_not_looked_at_and_host_finds_it(photo):
    assert plugin.ENTRIES["METRIC_REGISTRY"]["semanir_niqe"] is semanir_niqe
    images = {"img": photo, "img2": 0 * photo}
    value = host.load("basicsr.metrics").calculate_metric(images, {"type": "semanir_niqe"})
    assert value == semanir_niqe(photo)


def test_noise_is_unnatural(photo):
    noise = np.random.default_rng(0).normal(0, 50, photo.shape)
    noisy = (photo + noise).clip(0, 255).astype(np.uint8)
    assert semanir_niqe(noisy) > semanir_niqe(photo) + 1


def test_gray_images_are_taken(photo):
    gray = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    assert semanir_niqe(gray) == semanir_niqe(gray[..., None])
    assert 2 < semanir_niqe(gray) < 10


@pytest.mark.parametrize("shape", [(8, 8, 3), (96, 96, 3), (300, 90, 3), (191, 120)])
def test_small_images_have_none(shape):
    """BasicSR's function raises LinAlgError or RuntimeError."""
    image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    assert math.isnan(semanir_niqe(image))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_flat_images_have_none():
    flat = np.full((200, 200, 3), 128, np.uint8)
    with pytest.raises(np.linalg.LinAlgError):
        host.load("basicsr.metrics.niqe").calculate_niqe(flat, 0)
    assert math.isnan(semanir_niqe(flat))


def test_floats_are_refused():
    with pytest.raises(TypeError, match="must be uint8, received float64"):
        semanir_niqe(np.zeros((200, 200, 3)))
