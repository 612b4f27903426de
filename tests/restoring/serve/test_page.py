"""The page in a browser: a real photo, a wrong file, a huge one, two users at once."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.files.image_io import load_image, write_image
from tests.helpers import make_image

from .conftest import wait_until


@pytest.fixture
def cat():
    data = pytest.importorskip("skimage.data", reason="scikit-image has the photo")
    return data.chelsea()[80:200, 120:300]


@pytest.fixture
def page(browser, running):
    browser.servers.append(running.address)
    return Page(browser, running)


class Page:
    """What a person does with the page."""

    def __init__(self, browser, running):
        self.browser = browser
        self.running = running
        self.driver = browser.driver

    def open(self, **size):
        self.browser.open(self.running.address, **size)
        wait_until(lambda: self.browser.run("document.body.dataset.ready") == "yes", "the page")

    def choose(self, path):
        self.driver.find_element("id", "file").send_keys(str(path))

    def press(self, name):
        self.browser.run(f"document.getElementById('{name}').click()")

    def text(self, name):
        return self.browser.run(f"document.getElementById('{name}').textContent")

    def shows(self, name):
        return self.browser.run(f"!document.getElementById('{name}').hidden")

    def restore(self, path):
        self.choose(path)
        self.press("start")

    def pixels(self, name):
        """What a picture of the page holds."""
        code = """(() => {
            const image = document.getElementById(arguments[0]);
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
        })()"""
        values = np.array(self.browser.run(code, name), np.uint8).reshape(-1, 4)
        return values[:, :3]


def test_a_photo_is_restored_compared_and_downloaded(page, cat, tmp_path):
    write_image(tmp_path / "in" / "the cat.png", cat)
    page.open()
    assert page.browser.run("document.getElementById('start').disabled")
    page.restore(tmp_path / "in" / "the cat.png")
    wait_until(lambda: page.shows("result"), "the result")
    np.testing.assert_array_equal(page.pixels("before"), cat.reshape(-1, 3))
    np.testing.assert_array_equal(page.pixels("after"), cat.reshape(-1, 3))
    assert page.text("facts").startswith("the cat.png: 180 \u00d7 120 pixels")
    page.driver.find_element("id", "cut").send_keys("\ue012" * 20)  # arrow left
    shown = page.browser.run("getComputedStyle(document.getElementById('before')).clipPath")
    assert shown == "inset(0px 60% 0px 0px)"
    page.press("download")
    saved = wait_until((tmp_path / "the cat.png").is_file, "the download")
    assert saved
    np.testing.assert_array_equal(load_image(tmp_path / "the cat.png").pixels, cat)
    assert all(url.startswith(page.running.address) for url in page.browser.requests())


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything_without_scrolling_sideways(page, cat, tmp_path, dark):
    write_image(tmp_path / "cat.jpg", np.tile(cat, (1, 4, 1)))
    page.open(width=390, height=844, dark=dark)
    page.restore(tmp_path / "cat.jpg")
    wait_until(lambda: page.shows("result"), "the result")
    assert page.browser.run("document.documentElement.scrollWidth") == 390


def test_a_wrong_file_is_one_friendly_sentence(page, tmp_path):
    (tmp_path / "notes.txt").write_text("not a photo")
    page.open()
    page.browser.expected.append("422")
    page.restore(tmp_path / "notes.txt")
    wait_until(lambda: page.shows("error"), "the message")
    assert page.text("error") == (
        "Notes.txt: cannot be read as an image: it is of no format or pixel type that is read "
        "here, or damaged at its beginning."
    )
    assert not page.shows("work")
    assert not page.shows("result")
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.restore(tmp_path / "photo.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert not page.shows("error")


def test_a_huge_file_is_not_even_sent(page, tmp_path):
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    page.open()
    page.choose(tmp_path / "huge.tif")
    wait_until(lambda: page.shows("error"), "the message")
    assert page.text("error") == "huge.tif is too large: this page takes files up to 64 MiB."
    assert page.browser.run("document.getElementById('start').disabled")


def test_a_photo_with_too_many_pixels_is_refused(page, tmp_path):
    write_image(tmp_path / "wide.png", np.zeros((5000, 5000, 1), np.uint8))
    page.open()
    page.browser.expected.append("422")
    page.restore(tmp_path / "wide.png")
    wait_until(lambda: page.shows("error"), "the message")
    assert "5000 x 5000 pixels; this page takes up to 24 megapixels" in page.text("error")


def test_two_users_at_once_get_their_own_photos(page, tmp_path):
    photos = [make_image((30, 40, 3), seed=seed) for seed in range(2)]
    for number, photo in enumerate(photos):
        write_image(tmp_path / f"{number}.png", photo)
    page.running.allowed.clear()
    windows = []
    for number in range(2):
        if number:
            page.driver.switch_to.new_window("window")
        windows.append(page.driver.current_window_handle)
        page.open()
        page.restore(tmp_path / f"{number}.png")
        wait_until(lambda: page.shows("work"))
    wait_until(lambda: page.text("state") == "Waiting: one photo is before yours", "the queue")
    page.running.allowed.set()
    for window, photo in zip(windows, photos, strict=True):
        page.driver.switch_to.window(window)
        wait_until(lambda: page.shows("result"), "the result")
        np.testing.assert_array_equal(page.pixels("after"), photo.reshape(-1, 3))


def test_cancelling_makes_room_for_the_next_photo(page, tmp_path):
    for name in ("slow", "next"):
        write_image(tmp_path / f"{name}.png", make_image((8, 9, 3)))
    page.running.allowed.clear()
    page.open()
    page.restore(tmp_path / "slow.png")
    wait_until(lambda: page.text("state").startswith("Working"), "the work")
    page.press("cancel")
    assert not page.shows("work")
    page.running.allowed.set()
    page.restore(tmp_path / "next.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert page.text("facts").startswith("next.png")


def test_a_closed_page_leaves_nothing_behind(page, tmp_path):
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.open()
    page.restore(tmp_path / "photo.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert page.running.queue._held() > 0
    page.driver.get("about:blank")
    wait_until(lambda: page.running.queue._held() == 0, "the end of the result")
