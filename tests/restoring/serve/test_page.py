"""The page in a browser: real photos, wrong files, a huge one, ten at once, two users at once."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest

from semanir_arch.data.files.image_io import decode_image, load_image, write_image
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

    def restore(self, path, task="same"):
        self.choose(path)
        self.set("task", task)
        wait_until(lambda: not self.browser.run("document.getElementById('start').disabled"))
        self.press("start")

    def set(self, name, value):
        """What a person chooses or types in a field."""
        code = """(() => {
            const field = document.getElementById(arguments[0]);
            field.value = arguments[1];
            for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind));
        })()"""
        self.browser.run(code, name, value)

    def style(self, name, what):
        return self.browser.run(
            "getComputedStyle(document.getElementById(arguments[0]))[arguments[1]]", name, what
        )

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
    assert page.text("facts").startswith("the cat_same.png: 180 \u00d7 120 pixels")
    assert page.text("label") == "The same again"
    page.driver.find_element("id", "cut").send_keys("\ue012" * 20)  # arrow left
    assert page.style("upper", "clipPath") == "inset(0px 60% 0px 0px)"
    page.press("download")
    saved = wait_until((tmp_path / "the cat_same.png").is_file, "the download")
    assert saved
    np.testing.assert_array_equal(load_image(tmp_path / "the cat_same.png").pixels, cat)
    own = (page.running.address, f"blob:{page.running.address}")
    assert all(url.startswith(own) for url in page.browser.requests())


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
    page.choose(tmp_path / "notes.txt")
    wait_until(lambda: page.shows("error"), "the message")
    assert page.text("error") == (
        "notes.txt: cannot be read as an image: it has an unsupported format or pixel type, "
        "or is damaged at its beginning."
    )
    assert page.browser.run("document.getElementById('start').disabled")
    assert not page.shows("view")
    page.browser.run("document.querySelector('.away').click()")
    assert not page.shows("error")
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.restore(tmp_path / "photo.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert not page.shows("error")


def test_a_wrong_file_among_photos_is_named_and_the_others_are_restored(page, tmp_path):
    (tmp_path / "notes.txt").write_text("not a photo")
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.open()
    page.browser.expected.append("422")
    page.restore("\n".join(str(tmp_path / name) for name in ("notes.txt", "photo.png")))
    wait_until(lambda: page.shows("result"), "the result")
    assert page.text("facts").startswith("photo_same.png")
    assert "cannot be read" in page.browser.run("document.getElementById('list').textContent")


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
    page.choose(tmp_path / "wide.png")
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
    assert page.text("said").startswith("Cancelled.")
    page.running.allowed.set()
    page.browser.run("document.querySelector('.away').click()")
    page.restore(tmp_path / "next.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert page.text("facts").startswith("next_same.png")


def test_a_closed_page_leaves_nothing_behind(page, tmp_path):
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.open()
    page.restore(tmp_path / "photo.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert page.running.queue._held() > 0
    page.driver.get("about:blank")
    wait_until(lambda: page.running.queue._held() == 0, "the end of the result")


def test_a_photo_is_shown_and_diagnosed_before_anything_is_pressed(page, cat, tmp_path):
    noisy = cat + np.random.default_rng(0).normal(0, 25, cat.shape)
    for name, pixels in {"a.png": cat, "grainy.tif": noisy.clip(0, 255).astype(np.uint8)}.items():
        write_image(tmp_path / name, pixels)
        page.open()
        page.choose(tmp_path / name)
        wait_until(lambda: page.text("found"), "the diagnosis")
        # TIFF comes from the server, since the browser does not show it
        wait_until(lambda: page.shows("view"), "the preview")
        np.testing.assert_array_equal(
            page.pixels("before"), load_image(tmp_path / name).pixels.reshape(-1, 3)
        )
        assert page.style("upper", "display") == "none"
    assert page.text("found").startswith("grainy.tif: grainy (noise of about 2")
    assert page.running.queue._held() == 0


def test_before_and_after_keep_together_under_wheel_keys_and_fingers(page, cat, tmp_path):
    write_image(tmp_path / "cat.png", cat)
    page.open()
    page.restore(tmp_path / "cat.png")
    wait_until(lambda: page.shows("result"), "the result")
    zooms = [page.browser.run("stage.zoom")]
    middle = page.browser.run(
        "(({left, top, width, height}) => [left + width / 4, top + height / 4])"
        "(document.getElementById('compare').getBoundingClientRect())"
    )
    wheel = {"type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": 0, "deltaY": -100}
    page.browser.command("Input.dispatchMouseEvent", **wheel)
    wait_until(lambda: page.browser.run("stage.zoom") > 1, "the zoom of the wheel")
    # the place below the pointer stays
    x, zoom = page.browser.run("[stage.x, stage.zoom]")
    assert abs((0.25 - x) / zoom - 0.25) < 0.01
    zooms.append(zoom)
    page.driver.find_element("id", "cut").send_keys("+")
    zooms.append(page.browser.run("stage.zoom"))
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchEnd", None)):
        points = (
            []
            if apart is None
            else [
                {"x": middle[0] + side * apart, "y": middle[1], "id": number}
                for number, side in enumerate((-1, 1))
            ]
        )
        page.browser.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    wait_until(lambda: page.browser.run("stage.zoom") > zooms[-1] * 1.5, "the zoom of fingers")
    for name in ("after", "under"):
        assert page.style(name, "transform") == page.style("before", "transform")
    page.driver.find_element("id", "cut").send_keys("0")
    assert page.browser.run("[stage.zoom, stage.x, stage.y]") == [1, 0, 0]
    box = page.browser.run(
        "(({left, right}) => [left, innerWidth - right])"
        "(document.getElementById('compare').getBoundingClientRect())"
    )
    assert abs(box[0] - box[1]) <= 1


def test_ten_photos_are_restored_in_a_list_and_come_in_one_zip(page, cat, tmp_path):
    paths = [tmp_path / "in" / f"{number}" / "same name.png" for number in range(10)]
    photos = [make_image((20, 30, 3), seed=seed) for seed in range(10)]
    for path, photo in zip(paths, photos, strict=True):
        write_image(path, photo)
    page.open()
    page.choose("\n".join(map(str, paths)))
    wait_until(lambda: page.text("start") == "Restore 10 photos", "the list")
    page.set("task", "same")
    page.press("start")
    wait_until(lambda: page.text("all") == "Download all 10 (zip)", "the results")
    wait_until(lambda: not page.shows("work"), "the end")
    page.press("all")
    wait_until((tmp_path / "restored.zip").is_file, "the download")
    with zipfile.ZipFile(tmp_path / "restored.zip") as archive:
        assert archive.testzip() is None
        names = [f"same name_same{f' ({n})' if n > 1 else ''}.png" for n in range(1, 11)]
        assert archive.namelist() == names
        for name, photo in zip(names, photos, strict=True):
            np.testing.assert_array_equal(decode_image(archive.read(name), name).pixels, photo)


def test_other_settings_mark_the_result_as_stale(page, tmp_path):
    write_image(tmp_path / "photo.png", make_image((8, 9, 3)))
    page.open()
    page.restore(tmp_path / "photo.png")
    wait_until(lambda: page.shows("result"), "the result")
    assert not page.shows("stale")
    page.set("strength", "7")
    assert page.shows("stale")
    page.press("start")
    wait_until(lambda: not page.shows("stale"), "the new result")
    assert page.text("label") == "The same again, noise at most (0\u2013255): 7"
    page.set("task", "large")
    assert page.shows("stale")


def test_the_strength_blends_on_the_screen_and_in_the_file(page, cat, tmp_path):
    write_image(tmp_path / "cat.png", cat)
    page.open()
    page.restore(tmp_path / "cat.png", "large")
    wait_until(lambda: page.shows("result"), "the result")
    asked = len(page.browser.requests())
    page.set("share", "0")
    assert (page.text("share-value"), page.style("after", "opacity")) == ("0 %", "0")
    assert len(page.browser.requests()) == asked
    page.press("download")
    wait_until((tmp_path / "cat_large_0.png").is_file, "the download")
    expected = cv2.resize(cat, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(load_image(tmp_path / "cat_large_0.png").pixels, expected)


def test_every_task_is_tried_and_one_is_chosen(page, cat, tmp_path):
    write_image(tmp_path / "cat.png", cat)
    page.open()
    page.choose(tmp_path / "cat.png")
    wait_until(lambda: not page.browser.run("document.getElementById('try').disabled"))
    page.press("try")
    wait_until(lambda: page.shows("tries"), "the thumbnails")
    captions = "[...document.querySelectorAll('.sample')].map((one) => one.textContent)"
    assert page.browser.run(captions) == ["The photo", "The same again", "Twice as large"]
    page.browser.run("document.querySelectorAll('button.sample')[1].click()")
    assert page.browser.run("document.getElementById('task').value") == "large"


def test_everything_is_done_with_the_keyboard(page, tmp_path):
    write_image(tmp_path / "photo.png", make_image((40, 50, 3)))
    page.open()
    page.choose(tmp_path / "photo.png")
    wait_until(lambda: not page.browser.run("document.getElementById('start').disabled"))
    keys = Keyboard(page)
    keys.reach("task")
    keys.press("The same again")
    assert page.browser.run("document.getElementById('task').value") == "same"
    keys.reach("start")
    keys.press("\ue007")
    wait_until(lambda: page.shows("result"), "the result")
    keys.reach("cut")
    keys.press("\ue010")  # End
    assert page.style("upper", "clipPath") in ("inset(0px)", "inset(0px 0% 0px 0px)")
    keys.reach("share")
    keys.press("\ue012")  # arrow left
    assert page.text("share-value") == "95 %"
    keys.reach("download")
    keys.press("\ue007")
    wait_until((tmp_path / "photo_same_95.png").is_file, "the download")


def test_a_photo_is_dropped_or_pasted_anywhere(page, tmp_path):
    page.open()
    code = """(async () => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [9, 8];
        canvas.getContext('2d').fillRect(0, 0, 5, 5);
        const blob = await new Promise((done) => canvas.toBlob(done));
        const data = new DataTransfer();
        data.items.add(new File([blob], arguments[0]));
        const event = arguments[0] === 'dropped.png'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
        document.querySelector('h1').dispatchEvent(event);
    })()"""
    assert "anywhere" in page.text("chosen")
    for name in ("dropped.png", "pasted.png"):
        page.browser.run(code, name)
        wait_until(lambda name=name: name in page.text("list"), name)
    wait_until(lambda: page.shows("view"), "the preview")


class Keyboard:
    """Tab and other keys, sent to what has the focus."""

    def __init__(self, page):
        self.page = page

    def press(self, key):
        actions = pytest.importorskip("selenium.webdriver").ActionChains
        actions(self.page.driver).send_keys(key).perform()

    def reach(self, name):
        """Press Tab until an element has the focus."""
        for _ in range(40):
            if self.page.browser.run("document.activeElement.id") == name:
                return
            self.press("\ue004")
        raise AssertionError(f"{name} is not reached with the Tab key")
