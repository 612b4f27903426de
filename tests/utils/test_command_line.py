"""A command whose reader leaves early, as `head` does, ends without a word."""

from __future__ import annotations

import subprocess
import sys

import pytest

_COMMAND = """
import sys
from semanir_arch.utils.command_line import Parser, run_guarded

def work():
    for number in range(20000):
        try:
            print(number, file=sys.{stream})
        except OSError as error:
            # what loops over files do with a problem of one file
            print("failed:", error, file=sys.stderr)

Parser(prog="count").parse_args([])
sys.exit(run_guarded("count", work))
"""


@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_ends_a_command_quietly(stream, unbuffered):
    command = [sys.executable, *unbuffered, "-c", _COMMAND.format(stream=stream)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        read, other = process.stdout, process.stderr
        if stream == "stderr":
            read, other = other, read
        assert read.readline() == b"0\n"
        read.close()
        assert other.read() == b""
    assert process.returncode == 1


def test_a_reader_that_leaves_before_the_last_lines_are_flushed_hears_nothing():
    script = _COMMAND.format(stream="stdout").replace("20000", "3")
    script = script.replace("sys.exit(", "sys.stdin.read(); sys.exit(")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""


def test_lines_arrive_in_order_with_their_encoding():
    script = _COMMAND.format(stream="stdout").replace("20000", "3")
    script = script.replace("def work():", "def work():\n    print('gr\\u00fcn')")
    command = [sys.executable, "-X", "utf8", "-c", "print('first')\n" + script]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.decode() == "first\ngr\u00fcn\n0\n1\n2\n"
