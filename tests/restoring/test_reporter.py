from __future__ import annotations

import io
import sys

import pytest

from semanir_arch.restoring.reporter import Reporter


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and remembers what was written."""

    def __init__(self, answer):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self._answer = answer

    def isatty(self):
        return self._answer

    def text(self):
        return self.buffer.getvalue().decode(errors="surrogateescape")


@pytest.fixture
def streams(monkeypatch):
    def install(answer):
        out, err = Terminal(answer), Terminal(answer)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    return install


def report(total):
    reporter = Reporter(total)
    for name in ("a.png", "b.png"):
        reporter.begin(name, 50)
        reporter.advance(0.5)
        reporter.finish()
        reporter.say(f"{name} is done")
    reporter.complain("c.png: no such file")
    reporter.close()


def test_a_terminal_shows_how_far_it_is_and_how_long_it_takes(streams, monkeypatch):
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    out, err = streams(True)
    report(100)
    assert "to go (a.png)" in err.text()
    assert " 50%|" in err.text()
    assert "100%|" in err.text()
    assert out.text() == "a.png is done\nb.png is done\n"
    assert "semanir-restore: c.png: no such file\n" in err.text()


@pytest.mark.parametrize(("answer", "total"), [(False, 100), (True, 0)])
def test_elsewhere_there_are_lines_alone(streams, answer, total):
    out, err = streams(answer)
    report(total)
    assert out.text() == "a.png is done\nb.png is done\n"
    assert err.text() == "semanir-restore: c.png: no such file\n"


def test_names_cannot_command_a_terminal(streams):
    out, _ = streams(False)
    Reporter(0).say("a\x1b[2J\nb\udcff\u00e9.png")
    assert out.buffer.getvalue() == b"a\\x1b[2J\\x0ab\xff\xc3\xa9.png\n"
