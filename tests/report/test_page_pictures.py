"""Pictures of the page: exact where the budget allows it, never beyond it."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import pytest
from skimage import data

from semanir_arch.data.files.image_io import write_image
from semanir_arch.report.page_pictures import MAX_PIXELS, PagePicture, embed
from tests.helpers import make_image

PLENTY = 2**24


def decode(text):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def shown(image):
    """What the page shows of one image, within a large budget."""
    (embedded,), (text,) = embed([PagePicture("a", after=image)], PLENTY)
    assert (embedded.fidelity, embedded.images) == ("exact", {"after": 0})
    return decode(text)


def test_photographs_are_kept_exactly():
    photograph = data.astronaut()[:150, :201]
    assert np.array_equal(shown(photograph), photograph)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray_is_repeated(shape):
    image = make_image(shape)
    assert np.array_equal(shown(image), np.repeat(image.reshape(5, 7, 1), 3, axis=2))


def test_16_bits_are_rounded_to_8():
    image = np.array([[[0], [128], [129], [257], [65_535]]], np.uint16)
    assert shown(image)[0, :, 0].tolist() == [0, 0, 1, 1, 255]


def test_floats_are_clipped_and_rounded():
    assert shown(np.array([[-0.5, 0.5, 1.5]], np.float32))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_parts_are_white(channels):
    image = np.zeros((1, 3, channels), np.uint8)
    image[0, :, -1] = [255, 51, 0]
    assert shown(image)[0, :, 0].tolist() == [0, 204, 255]


def test_files_are_read(tmp_path):
    image = make_image((8, 9, 3))
    write_image(tmp_path / "image.png", image)
    assert np.array_equal(shown(tmp_path / "image.png"), image)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.png: no such file"):
        embed([PagePicture("a", before=tmp_path / "absent.png")], PLENTY)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((2, 2, 5), np.uint8), ValueError),
        (np.zeros((0, 2, 3), np.uint8), ValueError),
        (np.full((2, 2), np.nan), ValueError),
        (np.zeros((2, 2), np.uint32), TypeError),
        (np.zeros((2, 2), np.int64), TypeError),
    ],
)
def test_what_is_no_image_is_refused(image, error):
    with pytest.raises(error):
        embed([PagePicture("a", after=image)], PLENTY)


@pytest.mark.parametrize("budget", [0, 1000, 20_000, 100_000, 400_000, 1_000_000])
def test_the_budget_is_kept(budget):
    photograph = data.astronaut()[:300, :300]
    noisy = make_image((300, 300, 3))
    pictures = [PagePicture(str(i), before=noisy[i:], after=photograph[i:]) for i in range(3)]
    embedded, texts = embed(pictures, budget)
    assert sum(map(len, texts)) <= budget
    numbers = [number for picture in embedded for number in picture.images.values()]
    assert numbers == list(range(len(texts)))


def test_a_smaller_budget_costs_fidelity_step_by_step():
    picture = PagePicture("a", after=data.astronaut())

    def fidelity(budget):
        (embedded,), texts = embed([picture], budget)
        return embedded.fidelity, [decode(text).shape[0] for text in texts]

    assert fidelity(2_000_000) == ("exact", [512])
    assert fidelity(200_000) == ("compressed", [512])
    assert fidelity(40_000) == ("reduced", [256])
    assert fidelity(1000) == ("left out", [])


def test_what_one_picture_leaves_the_others_may_use():
    photograph = data.astronaut()
    flat = PagePicture("flat", after=np.zeros((512, 512, 3), np.uint8))
    _, (alone,) = embed([PagePicture("a", after=photograph)], PLENTY)
    both, _ = embed([flat, PagePicture("a", after=photograph)], len(alone) + 1000)
    assert [picture.fidelity for picture in both] == ["exact", "exact"]


def test_a_picture_without_images_has_none():
    (embedded,), texts = embed([PagePicture("a")], PLENTY)
    assert (embedded.fidelity, embedded.images, texts) == ("none", {}, [])


def test_equal_images_are_held_once_and_cost_once(tmp_path):
    target = data.astronaut()[:100, :100]
    write_image(tmp_path / "target.png", target)
    noisy = [make_image((100, 100, 3), seed=level) for level in range(2)]
    pictures = [
        PagePicture("15", before=noisy[0], after=noisy[0], target=target),
        PagePicture("25", before=noisy[1], target=tmp_path / "target.png"),
    ]
    embedded, texts = embed(pictures, PLENTY)
    assert [picture.images for picture in embedded] == [
        {"before": 0, "after": 0, "target": 1},
        {"before": 2, "target": 1},
    ]
    for text, image in zip(texts, [noisy[0], target, noisy[1]], strict=True):
        assert np.array_equal(decode(text), image)


def test_a_shape_is_part_of_an_image():
    flat = np.zeros((4, 9, 3), np.uint8)
    _, texts = embed([PagePicture("a", before=flat, after=flat.reshape(9, 4, 3))], PLENTY)
    assert [decode(text).shape for text in texts] == [(4, 9, 3), (9, 4, 3)]


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 17_000, 3), "u1"), ((4100, 4100), "u1"), ((1, 17_000, 4), "u2")]
)
def test_images_that_no_browser_draws_are_reduced(shape, dtype):
    (embedded,), (text,) = embed([PagePicture("a", after=np.zeros(shape, dtype))], 2**26)
    assert embedded.fidelity == "reduced"
    height, width, _ = decode(text).shape
    assert height * width <= MAX_PIXELS
    assert width == shape[1] // 2
