"""The HTML page in Chromium: what a person does with it, by mouse, finger and keyboard."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import data

from semanir_arch.report.page import Curve, Page, PagePicture, write_page
from semanir_arch.report.table import Table
from tests.report.page_gestures import (
    DOWN,
    END,
    ENTER,
    HOME,
    LEFT,
    RIGHT,
    SHIFT,
    choose,
    crop,
    cut,
    drag,
    mouse,
    names,
    pixels,
    press,
    screenshot,
    stage,
    view,
)

HEIGHT, WIDTH = 96, 128
TARGET = data.astronaut()[60 : 60 + HEIGHT, 170 : 170 + WIDTH]
BEFORE = np.clip(TARGET + np.random.default_rng(0).normal(0, 40, TARGET.shape), 0, 255).astype("u1")
CHANGED = slice(20, 40), slice(60, 90)
AFTER = TARGET.copy()
AFTER[CHANGED] //= 2
SMALL = TARGET[::2, ::2]

WEIRD = [
    "<script>document.title = 'executed'</script>",
    '"><img src=x onerror="document.title = \'executed\'">',
    "'; document.title = 'executed'; '",
    "</script><b>\u96ea \u0627\u0644\u062b\u0644\u062c \U0001f600</b>",
]


def score(before, after):
    return {"scores_in": {"psnr": before}, "scores_out": {"psnr": after}}


PICTURES = [
    PagePicture("img10", "sigma 15", BEFORE, AFTER, TARGET, **score(20.0, 30.0)),
    PagePicture("img9", "sigma 15", SMALL, AFTER, TARGET, **score(20.0, math.inf)),
    PagePicture("without target", "sigma 25", BEFORE, AFTER, **score(20.0, 25.0)),
    PagePicture("no picture", "sigma 25", **score(20.0, 31.0)),
    PagePicture("gray", "sigma 25", after=TARGET[..., 0]),
]
K_CURVE = Curve("PSNR over k", "k", "PSNR [dB]", {"a": [(64, 33.0), (128, 33.5), (256, 33.6)]})
RESULT = Table("Set5", ["set", "ours", "paper"], [["Set5", "33.0", "33.1"]], [], [])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    facts = {
        "command": "python test.py -opt options/denoising/SemanIR_color_sigma25.yml",
        "time": "26.5 s, median 4.68 s per image",
        "commit": "fdfae139411c6e4f96dacd5052d5b128be9d6fc3",
    }
    curves = [K_CURVE]
    write_page(path, Page("run", facts, [RESULT], PICTURES, curves, details={"Options": "k: 1"}))
    return path


@pytest.fixture
def opened(browser, page):
    """The page, with its first picture shown."""
    browser.open(page)
    browser.wait("find('position').textContent")
    return browser


def test_the_page_asks_for_nothing_but_itself(opened, page):
    asked = [url for url in opened.requests() if not url.startswith("data:")]
    assert asked == [page.as_uri()]


def test_the_list_is_sorted_by_click_and_keyboard(opened):
    psnr_out = "//table[@id='list']//th[3]/button"
    button = opened.driver.find_element("xpath", psnr_out)
    button.click()
    falling = ["img9", "no picture", "img10", "without target", "gray"]
    assert names(opened) == falling
    press(opened, "#list th:nth-child(3) button", ENTER)
    rising = ["without target", "img10", "no picture", "img9", "gray"]
    assert names(opened) == rising
    assert opened.run("document.querySelectorAll('#list [aria-sort=ascending]').length") == 1
    press(opened, "#list th:nth-child(1) button", " ")
    assert names(opened) == ["gray", "img9", "img10", "no picture", "without target"]


def test_images_are_chosen_with_arrow_keys_buttons_and_by_set(opened):
    press(opened, "#list .chosen .name", DOWN)
    opened.wait("find('picture-name').textContent === 'img9'")
    assert opened.run("document.activeElement.textContent") == "img9"
    opened.driver.find_element("id", "next").click()
    opened.wait("find('picture-name').textContent === 'without target'")
    press(opened, "#filter", "sigma 15")
    opened.wait("find('picture-name').textContent === 'img10'")
    assert names(opened) == ["img10", "img9"]
    assert opened.run("find('count').textContent") == "2 images"
    assert opened.run("document.querySelectorAll('#list .name[tabindex=\"0\"]').length") == 1


def test_the_cut_follows_mouse_finger_and_keys(opened):
    assert cut(opened) == 50
    drag(opened, 0.5, 0.25)
    assert cut(opened) == 25
    left, top, width, height = stage(opened)
    for kind, x in (("touchStart", 0.25), ("touchMove", 0.5), ("touchMove", 0.8)):
        points = [{"x": left + x * width, "y": top + height / 2}]
        opened.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    opened.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert cut(opened) == 80
    press(opened, "#cut", LEFT)
    assert cut(opened) == 79
    press(opened, "#cut", END)
    assert cut(opened) == 100
    press(opened, "#cut", HOME)
    assert cut(opened) == 0


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("before | after", BEFORE, AFTER),
        ("after | target", AFTER, TARGET),
        ("before | target", BEFORE, TARGET),
    ],
)
def test_both_sides_of_the_cut_show_their_image(opened, name, left, right):
    view(opened, name)
    opened.run("moveCut(30)")
    # without what lies over the pictures
    opened.run("['cut', 'box', 'left-label', 'right-label'].forEach((id) => find(id).remove())")
    seen = screenshot(opened)
    rows = ((np.arange(HEIGHT) + 0.5) * seen.shape[0] / HEIGHT).astype(int)
    columns = ((np.arange(WIDTH) + 0.5) * seen.shape[1] / WIDTH).astype(int)
    seen = seen[rows][:, columns].astype(int)
    boundary = round(0.3 * WIDTH)
    assert np.abs(seen[:, : boundary - 1] - left[:, : boundary - 1]).max() <= 2
    assert np.abs(seen[:, boundary + 1 :] - right[:, boundary + 1 :]).max() <= 2


def test_crops_show_the_pixels_at_the_pointer_and_stay_where_one_clicks(opened):
    def check(x, y):
        shown = slice(y - 12, y + 12), slice(x - 12, x + 12)
        for part, image in (("before", BEFORE), ("after", AFTER), ("target", TARGET)):
            assert np.array_equal(crop(opened, part), image[shown])
        assert opened.run("find('position').textContent") == f"column {x}, row {y}"
        values = ", ".join(map(str, AFTER[y, x]))
        assert values in opened.run("find('crops').textContent")

    mouse(opened, "mouseMoved", 64.5 / WIDTH, 30.5 / HEIGHT)
    check(64, 30)
    mouse(opened, "mousePressed", 40.5 / WIDTH, 50.5 / HEIGHT)
    mouse(opened, "mouseReleased", 40.5 / WIDTH, 50.5 / HEIGHT)
    mouse(opened, "mouseMoved", 0.9, 0.9)
    check(40, 50)
    assert not opened.run("find('follow').checked")
    press(opened, "#stage", RIGHT, DOWN, SHIFT, RIGHT)
    check(51, 51)


def test_crops_stop_at_the_border_and_change_their_size(opened):
    opened.run("movePlace(0, 1)")
    assert np.array_equal(crop(opened, "after"), AFTER[-24:, :24])
    press(opened, "#crop-size", "12")
    assert np.array_equal(crop(opened, "after"), AFTER[-12:, :12])


def test_a_smaller_input_is_enlarged_without_smoothing(opened):
    choose(opened, "img9")
    opened.run("movePlace(0.5, 0.5)")
    corner = HEIGHT // 2 - 12, WIDTH // 2 - 12
    enlarged = SMALL.repeat(2, axis=0).repeat(2, axis=1)
    wanted = enlarged[corner[0] : corner[0] + 24, corner[1] : corner[1] + 24]
    assert np.array_equal(crop(opened, "before"), wanted)
    assert np.array_equal(crop(opened, "target"), TARGET[36:60, 52:76])


def test_the_error_map_shows_where_and_how_much(opened):
    view(opened, "error map")
    error = pixels(opened, "find('right')").astype(int).sum(axis=2)
    dark = error.min()
    differences = np.abs(AFTER.astype(float) - TARGET).mean(axis=2)
    levels = opened.run("[...difference(viewer.images.after, viewer.images.target).levels]")
    assert np.allclose(np.reshape(levels, (HEIGHT, WIDTH)), differences, atol=1e-4)
    scale = int(opened.run("find('ramp-end').textContent").split()[0])
    assert np.array_equal(error > dark, differences * 255 / scale >= 0.5)
    assert (pixels(opened, "find('left')").astype(int).sum(axis=2) > dark).mean() > 0.9
    press(opened, "#scale", "255")
    assert opened.run("find('ramp-end').textContent") == "255 of 255 levels"
    weaker = pixels(opened, "find('right')").astype(int).sum(axis=2)
    assert weaker[CHANGED].mean() < error[CHANGED].mean()


def test_the_views_are_those_that_the_images_allow(opened):
    def offered(name):
        choose(opened, name)
        return opened.run("[...document.querySelectorAll('#views input')].map((i) => i.value)")

    assert offered("img10") == ["before | after", "before | target", "after | target", "error map"]
    assert offered("without target") == ["before | after", "change"]
    view(opened, "change")
    assert pixels(opened, "find('right')").std() > 0
    assert offered("gray") == ["after"]
    assert not opened.run("find('cut').checkVisibility()")


def test_a_picture_that_was_not_kept_says_so(opened):
    choose(opened, "no picture")
    assert opened.run("find('missing').innerText") == "No picture of this image was kept."
    assert not opened.run("find('stage').checkVisibility()")
    choose(opened, "img10")
    assert opened.run("find('stage').checkVisibility()")


def test_charts_have_a_mark_for_every_value(opened):
    count = "document.querySelectorAll(arguments[0]).length"
    curve, *histograms = opened.run("[...document.querySelectorAll('.chart')]")
    assert opened.run("arguments[0].querySelectorAll('circle').length", curve) == 3
    titles = opened.run(
        "[...arguments[0].querySelectorAll('circle title')].map((t) => t.textContent)", curve
    )
    assert titles == ["a, 64: 33.00", "a, 128: 33.50", "a, 256: 33.60"]
    assert opened.run("arguments[0].querySelectorAll('tbody tr').length", curve) == 3
    assert len(histograms) == 2
    assert opened.run(count, ".bar") == opened.run(count, ".chart:not(:first-child) tbody tr")
    assert "Without 1 image" in opened.run("arguments[0].textContent", histograms[0])


def luminance(color):
    """Relative luminance of `rgb(r, g, b)`; WCAG 2.2."""
    values = np.array([int(part) for part in color[4:-1].split(",")]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_in_light_and_dark(browser, page, dark):
    browser.open(page, dark=dark)
    color = "getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    card = luminance(browser.run(color, ".viewer", "backgroundColor"))
    chosen = luminance(browser.run(color, "#list .chosen", "backgroundColor"))
    assert (card < 0.1) == dark
    for selector, prop in (
        ("h1", "color"),
        (".note", "color"),
        ("#list .set", "color"),
        ("svg text", "fill"),
        ("circle", "fill"),
        (".bar", "fill"),
    ):
        text = luminance(browser.run(color, selector, prop))
        for ground in (card, chosen):
            contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
            assert contrast >= 4.5, selector


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
def test_no_width_needs_sideways_scrolling(browser, page, width):
    browser.open(page, width=width)
    browser.wait("find('position').textContent")
    for name in ("error map", "before | after"):
        view(browser, name)
        assert browser.run("document.documentElement.scrollWidth") <= width
    assert stage(browser)[2] >= min(width, 600) * 0.8
    lists = "[...document.querySelectorAll('.table .scroll, .tall')]"
    assert browser.run(f"{lists}.every((one) => one.scrollWidth <= one.clientWidth)")


def test_names_are_shown_and_never_executed(browser, tmp_path):
    pictures = [PagePicture(name, name, BEFORE, AFTER) for name in WEIRD]
    curves = [Curve(name, name, name, {name: [(1, 1.0)]}) for name in WEIRD]
    tables = [Table(name, [name], [[name]], [name], [name]) for name in WEIRD]
    facts = {name: name for name in WEIRD}
    page = Page("title", facts, tables, pictures, curves, WEIRD, facts)
    write_page(tmp_path / "page.html", page)
    browser.open(tmp_path / "page.html")
    for name in WEIRD:
        choose(browser, name)
    assert names(browser) == WEIRD
    assert browser.driver.title == "title"
    assert browser.run("document.querySelectorAll('img, b').length") == 0


def test_a_hundred_images_are_at_hand(browser, tmp_path):
    pictures = [
        PagePicture(f"image {i}", before=np.roll(BEFORE, i, 1), after=np.roll(AFTER, i, 1))
        for i in range(100)
    ]
    write_page(tmp_path / "page.html", Page("run", pictures=pictures))
    browser.open(tmp_path / "page.html", height=600)
    press(browser, "#list .chosen .name", END)
    browser.wait("find('picture-name').textContent === 'image 99'")
    browser.run("movePlace(0.5, 0.5)")
    assert np.array_equal(crop(browser, "after"), np.roll(AFTER, 99, 1)[36:60, 52:76])
    frame, row = browser.run(
        "[find('list').parentElement, chosenRow()].map((e) => e.getBoundingClientRect().bottom)"
    )
    assert row <= frame + 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 400, 3), (900, 2, 3)])
def test_tiny_and_narrow_images_can_be_seen(browser, tmp_path, shape):
    image = np.full(shape, 200, np.uint8)
    write_page(tmp_path / "page.html", Page("run", pictures=[PagePicture("a", "", image, image)]))
    browser.open(tmp_path / "page.html")
    browser.wait("find('position').textContent")
    _, _, width, height = stage(browser)
    assert width >= 100
    assert 30 <= height <= 700
    view(browser, "change")
    assert crop(browser, "after").max() == 200


def test_a_page_without_images_is_quiet(browser, tmp_path):
    write_page(tmp_path / "page.html", Page("run"))
    browser.open(tmp_path / "page.html")
    assert "No image was handled." in browser.run("document.body.innerText")


def test_printing_leaves_out_what_one_cannot_press(opened):
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    opened.command("Emulation.setEmulatedMedia", media="print", features=[scheme])
    assert opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for selector, seen in ((".steps", False), ("#views", False), ("#stage", True), ("svg", True)):
        visible = opened.run("document.querySelector(arguments[0]).checkVisibility()", selector)
        assert visible is seen, selector
    opened.command("Emulation.setEmulatedMedia", media="")
