"""What is measured in pictures whose damage is known, and what is chosen for them."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files.image_io import Image
from semanir_arch.restoring.diagnosis import choose, diagnose, diagnose_file
from semanir_arch.restoring.diagnosis.blocks import quality_of_tables
from semanir_arch.weights import TASKS
from tests.each import each

WITHOUT_PHOTO = [name for name in TASKS if not name.startswith("photo")]


def scene(height=448, width=512, channels=3, seed=0):
    """Smooth shading, edges and some fine texture, (H, W, C) uint8, as in photographs."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = 90 + 60 * np.sin(x / 90) * np.cos(y / 70)
    for _ in range(12):
        top, left = generator.integers(0, height - 60), generator.integers(0, width - 60)
        image[top : top + 60, left : left + 50] += generator.uniform(-50, 50)
    image[:80] += 25 * generator.standard_normal((80, width))
    planes = [image * gain + 10 for gain in (1, 0.9, 0.8)[:channels]]
    return np.clip(np.stack(planes, 2), 5, 250).round().astype(np.uint8)


def with_noise(image, sigma, *, blur=0.0, gray=False):
    shape = (*image.shape[:2], 1) if gray else image.shape
    noise = np.random.default_rng(1).normal(0, sigma, shape)
    if blur:
        noise = cv2.GaussianBlur(noise, (0, 0), blur)
        noise *= sigma / noise.std()
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


def with_colors(image, sigma, blur):
    """Noise that leaves the brightness alone."""
    noise = np.random.default_rng(2).normal(0, 1, (*image.shape[:2], 2))
    noise = cv2.GaussianBlur(noise, (0, 0), blur)
    red, blue = np.moveaxis(noise * sigma / noise.std(), 2, 0)
    green = -(0.299 * red + 0.114 * blue) / 0.587
    return np.clip(image + np.stack([red, green, blue], 2), 0, 255).round().astype(np.uint8)


def as_jpeg(image, quality):
    buffer = io.BytesIO()
    PIL.Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue(), np.asarray(PIL.Image.open(buffer)).reshape(image.shape)


@each("channels", [1, 3])
@each("sigma", [8, 15, 25, 50])
def test_the_level_of_independent_noise_is_found(sigma, channels):
    found = diagnose(with_noise(scene(channels=channels), sigma))
    assert found.sigma == pytest.approx(sigma, rel=0.15)
    assert found.noise.correlation == pytest.approx(1, abs=0.2)
    assert found.gray == (channels == 1)
    assert found.compression is None


def test_noise_that_neighbors_share_is_told_apart():
    assert diagnose(with_noise(scene(), 12, blur=1.0)).noise.correlation > 1.6


@each("channels", [1, 3])
@each("quality", [10, 40, 75, 88])
@each("cut", [(0, 0), (3, 5)])
def test_the_quality_of_a_file_is_found_in_its_pixels(quality, channels, cut):
    _, pixels = as_jpeg(scene(channels=channels), quality)
    found = diagnose(np.ascontiguousarray(pixels[cut[0] :, cut[1] :])).compression
    assert abs(found.quality - quality) <= 1
    assert not found.in_file


def test_the_tables_of_a_file_come_first(tmp_path):
    data, pixels = as_jpeg(scene(), 63)
    (tmp_path / "a.jpg").write_bytes(data)
    found = diagnose_file(Image(pixels), tmp_path / "a.jpg").compression
    assert (found.quality, found.in_file) == (63, True)
    assert quality_of_tables({}) is None
    assert quality_of_tables({0: [0] * 64}) is None


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_and_opacity_change_nothing(dtype):
    image = with_noise(scene(), 25)
    deep = image.astype(np.float32) / 255 if dtype == np.float32 else image.astype(dtype) * 257
    alpha = np.concatenate([deep, deep[..., :1]], axis=2)
    assert diagnose(alpha).sigma == pytest.approx(diagnose(image).sigma, rel=1e-4)


def test_blur_and_darkness_are_seen():
    image = scene()
    soft = cv2.GaussianBlur(image, (0, 0), 3)
    assert not diagnose(image).soft
    assert diagnose(soft).soft
    assert diagnose((image // 8).astype(np.uint8)).dark
    assert not diagnose(image).dark


@each("shape", [(1, 1), (3, 200, 3), (40, 17, 4), (16, 16, 1)])
@each("value", [0, 128, 255])
def test_tiny_and_flat_pictures_are_clean(shape, value):
    choice = choose(diagnose(np.full(shape, value, np.uint8)), TASKS)
    assert set(choice.tasks) <= {"sr_x2"}


@each(
    "damage, tasks",
    [
        (lambda image: image, ()),
        (lambda image: with_noise(image, 25), ("denoise",)),
        (lambda image: with_noise(image[..., :1], 25), ("denoise_gray",)),
        (lambda image: np.repeat(with_noise(image[..., :1], 25), 3, 2), ("denoise_gray",)),
        # the same noise on every channel
        (lambda image: with_noise(image, 20, gray=True), ("denoise_gray",)),
        (lambda image: as_jpeg(image, 20)[1], ("jpeg",)),
        (lambda image: as_jpeg(image[..., :1], 20)[1], ("jpeg_gray",)),
        (lambda image: as_jpeg(image, 92)[1], ()),
        (lambda image: image[100:300, 100:400], ("sr_x2",)),
        (lambda image: as_jpeg(image[100:220, 100:260], 30)[1], ("jpeg", "sr_x2")),
    ],
)
def test_what_helps_is_chosen(damage, tasks):
    assert choose(diagnose(np.ascontiguousarray(damage(scene()))), WITHOUT_PHOTO).tasks == tasks


@pytest.mark.parametrize(
    ("damage", "task"),
    [
        # brightness and color that neighbors share
        (lambda image: with_noise(image, 20, blur=0.7), "photo"),
        # color alone, spread wide
        (lambda image: with_colors(image, 6, blur=2.0), "photo"),
        # white noise whose colors a JPEG file has smoothed: not noise without color
        (lambda image: as_jpeg(with_noise(image, 15), 80)[1], "photo"),
        (lambda image: with_noise(image, 20), "denoise"),
        (lambda image: with_noise(image, 20, gray=True), "denoise_gray"),
    ],
)
def test_each_kind_of_noise_gets_the_network_that_was_trained_on_it(damage, task):
    found = diagnose(np.ascontiguousarray(damage(scene())))
    assert choose(found, [*WITHOUT_PHOTO, "photo"]).tasks == (task,)
    without = "denoise" if task == "photo" else task
    assert choose(found, WITHOUT_PHOTO).tasks == (without,)


def test_a_clean_picture_gets_the_network_for_photographs_if_one_is_forced():
    for channels in (1, 3):
        clean = diagnose(scene(channels=channels))
        assert choose(clean, TASKS).tasks == ()
        assert choose(clean, TASKS, force=True).tasks == ("photo",)


def test_grain_in_a_gray_picture_is_left_to_a_network_if_its_result_is_judged():
    clean = diagnose(scene(channels=1))
    assert choose(clean, TASKS).trial == ()
    assert choose(clean, WITHOUT_PHOTO, judged=True).trial == ()
    assert choose(clean, TASKS, judged=True, force=True).trial == ()
    choice = choose(clean, TASKS, judged=True)
    assert (choice.trial, choice.tasks) == (("photo",), ())
    assert choice.line == "nothing to repair, gray -> photo if it finds grain, else left as it is"
    good, bad = (diagnose(as_jpeg(scene(channels=1), quality)[1]) for quality in (80, 40))
    assert choose(good, TASKS, judged=True).trial == ("photo",)
    assert choose(good, TASKS, judged=True).tasks == ("jpeg_gray",)
    # what the file lost matters more, or is all that can be seen
    assert choose(bad, TASKS, judged=True).trial == ()
    assert choose(diagnose(scene(channels=1)[:200, :300]), TASKS, judged=True).trial == ()
    assert choose(diagnose(scene()), TASKS, judged=True).trial == ()


def test_small_and_damaged_pictures_get_one_network_for_both_where_there_is_one():
    small = diagnose(np.ascontiguousarray(as_jpeg(scene()[:220, :320], 30)[1]))
    assert choose(small, TASKS).tasks == ("photo_x2",)
    assert choose(small, WITHOUT_PHOTO).tasks == ("jpeg",)
    assert choose(diagnose(scene()[:220, :320]), TASKS).tasks == ("sr_x2",)
    # as fine as this, it may be texture
    fine = choose(diagnose(with_noise(scene(), 20, blur=0.7)[:220, :320]), TASKS)
    assert fine.tasks == ("sr_x2",)
    assert any("photo_x2" in hint for hint in fine.hints)


def test_only_what_is_there_is_chosen_and_demonstrations_are_only_mentioned():
    assert choose(diagnose(with_noise(scene(), 25)), []).tasks == ()
    choice = choose(diagnose((scene() // 8).astype(np.uint8)), WITHOUT_PHOTO)
    assert choice.tasks == ()
    assert any("lowlight" in hint for hint in choice.hints)
    assert choose(diagnose(scene()), WITHOUT_PHOTO, force=True).tasks == ("denoise",)


def test_facts_are_plain_values():
    facts = diagnose(as_jpeg(scene(), 50)[1]).facts()
    assert json.loads(json.dumps(facts))["compression"]["quality"] == 50
