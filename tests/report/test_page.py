"""The HTML page as a file: complete, deterministic, self-contained, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from semanir_arch.data.files.image_io import write_image
from semanir_arch.report.page import Curve, Page, PagePicture, write_page
from semanir_arch.report.table import Table
from tests.helpers import ROOT

ODD = "<script>alert(1)</script>\" 'onclick=x' & \u96ea\u00e4\U0001f600 {{ 7 * 7 }}"
PHOTOGRAPH = data.astronaut()[:64, :80]


class Reader(HTMLParser):
    """Elements with their attributes, and all text."""

    VOID = ("meta", "link", "input", "br", "img")

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, text):
        self.texts.append(text)


@pytest.fixture
def write(tmp_path):
    def written(page, **options):
        path = tmp_path / "page.html"
        write_page(path, page, **options)
        assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
        return path.read_text(encoding="utf-8")

    return written


def everything(text=ODD):
    return Page(
        title=text,
        facts={text: text},
        tables=[Table(text, ["set", text], [[text, "1"]], ["mean", text], [text])],
        pictures=[
            PagePicture(text, text, PHOTOGRAPH, PHOTOGRAPH, None, {"psnr": 1.0}, {"psnr": 2.0}),
            PagePicture(text, "other"),
        ],
        curves=[Curve(text, text, text, {text: [(1, 2.0)], "b": [(1, 3.0)]})],
        notes=[text],
        details={text: text},
    )


def test_all_texts_are_escaped(write):
    html = write(everything())
    reader = Reader(html)
    assert reader.open == []
    scripts = [attributes for tag, attributes in reader.elements if tag == "script"]
    assert [attributes.get("type") for attributes in scripts] == ["text/plain", None]
    assert not any(name.startswith("on") for _, given in reader.elements for name in given)
    # title twice, fact twice, table: title, header, first cell, mean, note; and so on
    assert sum(text.strip() == ODD for text in reader.texts) >= 15
    assert "49" not in re.sub(r"base64|[A-Za-z0-9+/=]{40,}", "", "".join(reader.texts[:20]))


def test_names_that_are_no_text_can_be_written(write):
    html = write(Page(title="run", pictures=[PagePicture("caf\udce9.png")]))
    assert "caf?.png" in html


def test_nothing_is_loaded_from_elsewhere(write):
    html = write(everything("run"))
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", html)
    for tag, attributes in Reader(html).elements:
        assert "src" not in attributes
        assert attributes.get("href", "data:,") == "data:,", tag


def test_the_policy_allows_only_our_style_and_script(write):
    html = write(everything("run"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    policy = policy.replace("&#39;", "'")
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    for kind, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_equal_input_gives_an_equal_file(write):
    assert write(everything()) == write(everything())


@pytest.mark.parametrize("page", [Page("empty"), Page("one", pictures=[PagePicture("a")])])
def test_a_page_may_hold_little(write, page):
    html = write(page)
    assert Reader(html).open == []
    assert ("No image was handled." in html) == (not page.pictures)


def test_what_the_budget_cost_is_said(write):
    pictures = [PagePicture(str(i), after=data.astronaut()[i:]) for i in range(3)]
    html = write(Page("run", pictures=pictures), budget=600_000)
    assert "within 0.572 MiB: 3 compressed, of 3." in html
    assert 'id="fidelity"' not in write(Page("run", pictures=pictures))


def test_an_unreadable_image_leaves_the_old_page(write, tmp_path):
    before = write(Page("old"))
    with pytest.raises(ValueError, match="an image must be"):
        write_page(
            tmp_path / "page.html", Page("new", pictures=[PagePicture("a", after=np.zeros(3))])
        )
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == before


def test_the_example_of_the_document_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/page.md").read_text(), re.DOTALL)
    for folder in ("input", "result", "clean"):
        write_image(Path(folder, "0001.png"), PHOTOGRAPH)
    exec(example, {})
    assert re.search(r'<td data-key="30.35"[^>]*>30.35</td>', (tmp_path / "page.html").read_text())
