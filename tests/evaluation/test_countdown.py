"""The time to go is that of the mean image so far."""

from __future__ import annotations

import io
import logging

import pytest

from semanir_arch.evaluation import countdown
from semanir_arch.evaluation.countdown import Countdown


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(countdown, "time", clock)
    return clock


def test_the_time_to_go_counts_all_settings_and_no_reused_image(clock):
    count = Countdown(settings=3, stream=io.StringIO())
    count.begin_setting(10)
    count.begin_set("a sigma=15", reused=4)
    assert count.remaining() is None
    for _ in range(2):
        clock.now += 3
        count.step()
    # 4 of this setting, 10 of each of the two others
    assert count.remaining() == pytest.approx(24 * 3)
    clock.now += 1000
    count.begin_set("b sigma=15", reused=2)
    assert count.remaining() == pytest.approx(22 * 3), "building data sets takes no images' time"
    count.begin_setting(6)
    assert count.remaining() == pytest.approx((2 + 6 + 6) * 3)


def test_without_a_terminal_a_line_appears_now_and_then(clock, caplog):
    logging.getLogger("basicsr").propagate = True
    count = Countdown(settings=1, stream=io.StringIO())
    count.begin_setting(100)
    count.begin_set("CBSD68", reused=0)
    with caplog.at_level(logging.INFO, logger="basicsr"):
        for _ in range(25):
            clock.now += 2
            count.step()
    assert [record.getMessage() for record in caplog.records] == [
        "CBSD68: 15 of 100 images, 02:50 to go"
    ]


def test_on_a_terminal_one_line_is_kept_up_to_date(clock):
    stream = Terminal()
    count = Countdown(settings=1, stream=stream)
    count.begin_setting(4)
    count.begin_set("CBSD68 k=64", reused=1)
    for _ in range(2):
        clock.now += 60
        count.step()
    count.close()
    last = stream.getvalue().rstrip().split("\r")[-1]
    assert last.startswith("CBSD68 k=64")
    assert "3 of 4 images" in last
    assert last.endswith("01:00 to go")


def test_only_the_first_process_speaks(clock, caplog, monkeypatch):
    monkeypatch.setattr(countdown.processes, "rank", lambda: 1)
    logging.getLogger("basicsr").propagate = True
    stream = Terminal()
    count = Countdown(settings=1, stream=stream)
    count.begin_setting(4)
    count.begin_set("a", reused=0)
    clock.now += 100
    with caplog.at_level(logging.INFO, logger="basicsr"):
        count.step()
    assert stream.getvalue() == ""
    assert not caplog.records
