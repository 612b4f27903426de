from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve import photo_restoring
from semanir_arch.restoring.serve.choices import NetworkChoice
from semanir_arch.restoring.serve.job_queue import PhotoJob
from semanir_arch.restoring.serve.photo_restoring import Workshop
from tests.helpers import TINY_UNET, make_image, save_weights

CHOICES = [NetworkChoice("a", "A", strength="sigma"), NetworkChoice("b", "B")]


@pytest.fixture
def opened():
    """Names of the networks that were loaded."""
    return []


@pytest.fixture
def workshop(tmp_path, opened):
    save_weights(tmp_path / "net.pth", TINY_UNET)

    def open_restorer(choice):
        opened.append(choice.name)
        return Restorer(tmp_path / "net.pth", "cpu")

    made = Workshop(CHOICES, open_restorer)
    yield made
    made.close()


def restored(workshop, image, **arguments):
    job = PhotoJob("a", "photo.png", encode_image(image, Path("a.png")), **arguments)
    outcome = workshop.work(job)
    assert job.progress == 1
    return decode_image(outcome.result, "result").pixels, outcome


def test_the_result_is_the_restorers(workshop):
    image = make_image((20, 30, 3))
    result, _ = restored(workshop, image)
    np.testing.assert_array_equal(result, workshop.restorer("a").restore(image))
    assert (result != image).any()


def test_a_strength_bounds_the_change(workshop):
    image = make_image((20, 30, 3))
    np.testing.assert_array_equal(restored(workshop, image, strength=0.0)[0], image)


def test_a_network_is_loaded_once_when_it_is_first_needed(workshop, opened):
    for task in ("b", "b", "a"):
        workshop.restorer(task)
    assert opened == ["b", "a"]


def test_large_photos_are_reduced_for_the_screen_alone(workshop, monkeypatch):
    monkeypatch.setattr(photo_restoring, "_SHOWN_PIXELS", 100)
    result, outcome = restored(workshop, make_image((20, 45, 3)))
    assert result.shape == (20, 45, 3)
    for shown in (outcome.before, outcome.after):
        assert decode_image(shown, "shown").pixels.shape == (7, 15, 3)
    assert outcome.facts["reduced"] is True


def test_transparent_parts_are_shown_over_white(workshop):
    image = make_image((9, 9, 4))
    image[:4, :, 3] = 0
    result, outcome = restored(workshop, image)
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    assert (decode_image(outcome.before, "shown").pixels[:4] == 255).all()
