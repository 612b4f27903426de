"""The live line on a terminal, and nothing elsewhere."""

from __future__ import annotations

import io
import logging

import pytest

from semanir_arch import host
from semanir_arch.training.observer import Times
from semanir_arch.training.progress_line import ProgressLine
from tests.training.watching import facts

OPTIONS = {
    "name": "my_run",
    "logger": {"print_freq": 1, "use_tb_logger": False},
    "train": {"total_iter": 40},
}
MESSAGE = {"epoch": 0, "iter": 30, "lrs": [1e-3], "time": 0.1, "data_time": 0.0, "l_pix": 0.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=[Terminal, io.StringIO])
def stream(request):
    return request.param()


@pytest.fixture
def logger(stream, tmp_path, monkeypatch):
    """BasicSR's logger, on the stream and in a file."""
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {"basicsr": True})
    logger = logging.getLogger("basicsr")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.INFO)
    for handler in (logging.StreamHandler(stream), logging.FileHandler(tmp_path / "log.txt")):
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)
    return logger


def run(stream, logger):
    """Four of 40 iterations, log lines, a warning."""
    line = ProgressLine(stream)
    line.started(facts(OPTIONS, total_iter=40, done=26))
    message = host.load("basicsr.utils").MessageLogger(OPTIONS)
    for iteration in range(27, 31):
        line.step(iteration, {"l_pix": 0.5}, Times(data=0.25, total=1.0))
    message(dict(MESSAGE))
    logger.warning("something else")
    line.finished()
    logger.info("afterwards")
    return stream.getvalue()


@pytest.mark.parametrize("stream", [Terminal], indirect=True)
def test_a_terminal_shows_one_line_with_all_numbers(stream, logger, tmp_path):
    text = run(stream, logger)
    line = text.split("\r")[-1]
    assert line.startswith("my_run  75%|")
    assert "| 30/40 [" in line
    for part in ("it", "<", ", data 25%, ", " GiB, l_pix 5.000e-01]"):
        assert part in line
    assert "epoch:" not in text
    assert "WARNING: something else\n" in text
    assert "\nINFO: afterwards\n" in text
    assert "epoch:  0, iter:      30" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("stream", [io.StringIO], indirect=True)
def test_elsewhere_the_lines_are_those_of_basicsr(stream, logger):
    text = run(stream, logger)
    assert "\r" not in text
    first, second, third = text.splitlines()
    assert first.startswith("INFO: [my_ru..][epoch:  0, iter:      30, lr:(1.000e-03,)] [eta: ")
    assert (second, third) == ("WARNING: something else", "INFO: afterwards")
