"""The page in a browser, from a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from semanir_arch.restoring.explain.explanation import explain
from semanir_arch.restoring.explain.semantics import key_semantics
from tests.helpers import make_image

SIZE = (37, 45)


@pytest.fixture
def image():
    return make_image((*SIZE, 3))


@pytest.fixture
def stages(make_restorer, image):
    """Every pixel's keys."""
    network = make_restorer().network
    x = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    pixels = torch.cartesian_prod(*(torch.arange(side) for side in SIZE))
    return key_semantics(network, x, pixels)


@pytest.fixture
def page(browser, make_restorer, image, tmp_path):
    text, _ = explain(make_restorer(), image, (20, 30), "photo.png", tmp_path / "a.png")
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")

    def open_page(**size):
        browser.open(path, **size)
        for _ in range(200):
            if browser.run("document.body.dataset.ready") == "yes":
                return browser
            browser.run("new Promise((done) => setTimeout(done, 20))")
        raise AssertionError(browser.run("document.body.innerText"))

    return open_page


def test_the_numbers_in_the_page_are_the_networks(page, stages):
    browser = page()
    for y, x in [(30, 20), (0, 0), (36, 44), (9, 17), (20, 3)]:
        browser.run(f"choose({x}, {y})")
        found = json.loads(
            browser.run("JSON.stringify(state.stages.map((stage) => [stage.name, lookUp(stage)]))")
        )
        assert [name for name, _ in found] == [stage.name for stage in stages]
        for (_, shown), stage in zip(found, stages, strict=True):
            row = int(stage.rows[y * SIZE[1] + x])
            region = stage.region(row)
            height, width = region.kept.shape
            grid = {(key["y"] - region.top, key["x"] - region.left): key for key in shown["keys"]}
            assert set(grid) == set(np.ndindex(height, width))
            for place, key in grid.items():
                assert key["kept"] == region.kept[place]
                share = (region.similarity[place] - shown["low"]) / (shown["high"] - shown["low"])
                assert key["similarity"] == pytest.approx(255 * share, abs=4)
                weight = 255 * region.attention[place] / region.attention.max()
                assert key["attention"] == pytest.approx(weight, abs=1)


def test_click_keys_and_numbers_choose_a_pixel(page):
    browser = page()
    status = "document.getElementById('status').textContent"
    assert browser.run(status) == "Pixel 20, 30 keeps 12 of 64 tokens in encoders.0."
    photo = browser.driver.find_element("id", "photo")
    photo.send_keys("\ue014\ue015")  # arrow right, arrow down
    assert browser.run(status).startswith("Pixel 21, 31 keeps")
    photo.send_keys("\ue008\ue013")  # with shift, arrow up: ten steps
    assert browser.run(status).startswith("Pixel 21, 21 keeps")
    photo.click()
    assert browser.run(status).startswith("Pixel 22, 18 keeps")
    browser.run(
        "(() => { const x = document.getElementById('x'); x.value = 7;"
        " x.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(status).startswith("Pixel 7, 18 keeps")


def test_views_and_stages_are_drawn_differently(page):
    browser = page()
    picture = "document.getElementById('photo').toDataURL()"
    seen = {browser.run(picture)}
    for view in ("attention", "similarity"):
        browser.run(
            "((name) => { const view = document.getElementById('view'); view.value = name;"
            f" view.dispatchEvent(new Event('change')); }})('{view}')"
        )
        seen.add(browser.run(picture))
    browser.run("document.getElementById('dropped').click()")
    seen.add(browser.run(picture))
    browser.run("document.querySelectorAll('[name=stage]')[1].click()")
    seen.add(browser.run(picture))
    assert len(seen) == 4
    assert "in latent." in browser.run("document.getElementById('status').textContent")


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything_without_scrolling_sideways(page, dark):
    browser = page(width=390, height=844, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") == 390
