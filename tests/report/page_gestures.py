"""What a person does with the page of a run and sees in it, for tests in a browser."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image

# codes of keys, from the standard WebDriver (17.4.2)
ENTER, SHIFT, END, HOME = "\ue007", "\ue008", "\ue010", "\ue011"
LEFT, RIGHT, DOWN = "\ue012", "\ue014", "\ue015"


def names(browser):
    return browser.run("shownRows().map((row) => row.querySelector('.name').textContent)")


def choose(browser, name):
    browser.run(
        "choose(allRows().find((row) => row.querySelector('.name').textContent === arguments[0]))",
        name,
    )
    browser.wait("find('picture-name').textContent === arguments[0]", name)


def view(browser, name):
    browser.run("document.querySelector(`#views [value='${arguments[0]}']`).click()", name)


def press(browser, selector, *keys):
    browser.driver.find_element("css selector", selector).send_keys(*keys)


def mouse(browser, kind, x, y):
    """A mouse event at fractions of the stage."""
    left, top, width, height = stage(browser)
    browser.command(
        "Input.dispatchMouseEvent",
        type=kind,
        x=left + x * width,
        y=top + y * height,
        button="none" if kind == "mouseMoved" else "left",
        clickCount=1,
    )


def drag(browser, start, end):
    mouse(browser, "mousePressed", start, 0.9)
    left, top, width, height = stage(browser)
    browser.command(
        "Input.dispatchMouseEvent",
        type="mouseMoved",
        x=left + end * width,
        y=top + 0.9 * height,
        button="left",
        buttons=1,
    )
    mouse(browser, "mouseReleased", end, 0.9)


def stage(browser):
    browser.run("find('stage').scrollIntoView({block: 'center'})")
    return browser.run(
        "(({x, y, width, height}) => [x, y, width, height])(find('stage').getBoundingClientRect())"
    )


def cut(browser):
    return int(browser.run("find('cut').getAttribute('aria-valuenow')"))


def pixels(browser, canvas):
    """Pixels (H, W, 3) of a canvas, given as a JavaScript expression."""
    width, height, values = browser.run(
        f"((c) => [c.width, c.height, [...context(c).getImageData(0, 0, c.width, c.height).data]])"
        f"({canvas})"
    )
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def crop(browser, part):
    return pixels(browser, f"document.querySelector(\"#crops [data-part='{part}'] canvas\")")


def screenshot(browser):
    """What is seen of the stage, (H, W, 3)."""
    left, top, width, height = stage(browser)
    clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
    clip["y"] += browser.run("scrollY")
    shot = browser.command("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))
