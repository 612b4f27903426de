"""The browser for tests notices what must not happen in a page."""

from __future__ import annotations

import pytest


@pytest.fixture
def page(tmp_path):
    def write(script):
        path = tmp_path / "page.html"
        head = "<!doctype html><meta name='viewport' content='width=device-width'>"
        path.write_text(f"{head}<p>text</p><script>{script}</script>")
        return path

    return write


def forgotten(browser):
    """What the fixture would complain about, which is expected here."""
    problems = browser.problems()
    browser.expected.append("")
    browser.servers.append("")
    return problems


def test_a_quiet_page_has_no_problems(browser, page):
    browser.open(page("console.log('fine')"))
    assert browser.run("document.querySelector('p').textContent") == "text"
    assert browser.requests() == [page("console.log('fine')").as_uri()]
    assert browser.problems() == []


@pytest.mark.parametrize("script", ["console.error('broken')", "throw new Error('broken')"])
def test_console_errors_are_problems(browser, page, script):
    browser.open(page(script))
    assert "broken" in "\n".join(forgotten(browser))


def test_expected_messages_are_none(browser, page):
    browser.expected.append("refused")
    browser.open(page("console.error('refused')"))
    assert browser.problems() == []


def test_requests_elsewhere_are_problems(browser, page):
    browser.open(page("document.write(`<img src='https://example.org/dot.png'>`)"))
    assert "request to https://example.org/dot.png" in forgotten(browser)


def test_size_and_colour_scheme_are_emulated(browser, page):
    browser.open(page(""), width=390, dark=True)
    assert browser.run("innerWidth") == 390
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches")
