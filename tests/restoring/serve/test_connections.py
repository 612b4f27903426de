"""Connections that wait, hold back or hoard cost neither places nor memory for long."""

from __future__ import annotations

import http.client
import select
import socket
from collections import Counter
from contextlib import ExitStack

import pytest

from semanir_arch.restoring.serve import codec, connections
from semanir_arch.restoring.serve.connections import Uploads, UploadsFullError
from tests.restoring.serve.conftest import wait_until
from tests.restoring.serve.test_app import encoded


class Clock:
    """The time by which connections are cut; it stands until a test moves it."""

    def __init__(self):
        self.now = 1.0
        self.looks = Counter()

    def read(self, protocol):
        self.looks[protocol.client[1]] += 1
        return self.now

    def pass_by(self, connection, seconds):
        """Let time pass between two looks at a connection."""
        port = connection.getsockname()[1]
        before = self.looks[port]
        # at a look, the clock is read twice at most
        wait_until(lambda: self.looks[port] > before + 2, "a look")
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()

    def now(protocol):
        return clock.read(protocol)

    monkeypatch.setattr(connections, "_TICK", 0.01)
    monkeypatch.setattr(connections.TimedProtocol, "_now", now)
    return clock


@pytest.fixture
def impatient(monkeypatch):
    """A photo has little time to come."""
    monkeypatch.setattr(connections, "PART_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.6)


def opened(running, text=b""):
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    connection.sendall(text)
    return connection


def rest(connection):
    """What the server says until it closes."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def head(running, length):
    return (
        f"POST /api/jobs?task=same&name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("text", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_request_that_is_never_finished_is_cut(running, clock, text):
    connection = opened(running, text)
    clock.pass_by(connection, connections.HEADER_SECONDS + 1)
    assert rest(connection) == b""


def test_an_answer_that_is_never_taken_is_cut(running, clock):
    running.allowed.clear()
    connection = opened(running, head(running, 10_000) + bytes(100))
    clock.pass_by(connection, connections.HEADER_SECONDS + 1)
    clock.pass_by(connection, connections.REQUEST_SECONDS - connections.HEADER_SECONDS - 2)
    connection.sendall(b"x")
    clock.pass_by(connection, 2)
    assert rest(connection) == b""


def test_requests_that_follow_each_other_slowly_are_not_cut(running, clock):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.connect()
    own = connection.sock
    for _ in range(3):
        clock.pass_by(own, connections.HEADER_SECONDS * 0.6)
        connection.request("GET", "/api/options")
        assert connection.getresponse().read().startswith(b"{")
    assert connection.sock is own, "it was cut in between"
    connection.close()


def answer_on(connection):
    """Status and body of the server's answer."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


def test_a_photo_that_stops_coming_is_given_up(running, impatient):
    status, body = answer_on(opened(running, head(running, 10_000) + bytes(100)))
    assert status == 408
    assert b"the upload took too long" in body
    assert not running.queue._jobs


def test_a_photo_that_comes_drop_by_drop_is_given_up(running, impatient):
    connection = opened(running, head(running, 10_000))
    for _ in range(1000):
        connection.sendall(b"x")
        if select.select([connection], [], [], 0.05)[0]:
            break
    assert answer_on(connection)[0] == 408
    assert not running.queue._jobs


def test_one_client_cannot_take_all_connections(running, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_PER_CLIENT", 3)
    held = [opened(running) for _ in range(3)]
    assert rest(opened(running)).startswith(b"HTTP/1.1 503")
    for connection in held:
        connection.close()
    wait_until(lambda: rest_is_free(running), "a free place")


def rest_is_free(running):
    try:
        return running.request("GET", "/api/options")[0] == 200
    except OSError:
        return False


def test_photos_that_are_being_sent_have_a_share_of_memory_and_number(monkeypatch):
    monkeypatch.setattr(connections, "MAX_UNFINISHED_BYTES", 100)
    monkeypatch.setattr(connections, "MAX_ALL_UNFINISHED_BYTES", 150)
    uploads = Uploads()
    with ExitStack() as stack, uploads.begin("a") as first, uploads.begin("b") as other:
        first.add(bytes(100))
        with pytest.raises(UploadsFullError):
            first.add(b"x")
        with uploads.begin("a") as second, pytest.raises(UploadsFullError):
            second.add(b"x")
        other.add(bytes(50))
        with pytest.raises(UploadsFullError):
            other.add(b"x")
        for _ in range(connections.MAX_UNFINISHED - 1):
            stack.enter_context(uploads.begin("a"))
        with pytest.raises(UploadsFullError), uploads.begin("a"):
            pass
    assert (uploads.size, uploads._open) == (0, {})


def test_unfinished_photos_of_a_client_are_bounded_and_others_go_on(running, monkeypatch):
    monkeypatch.setattr(connections, "MAX_UNFINISHED", 2)
    held = [opened(running, head(running, 1000)) for _ in range(2)]
    status, answer = None, None

    def refused():
        nonlocal status, answer
        status, answer = running.send(encoded("photo.png"))
        return status == 503

    wait_until(refused, "the refusal")
    assert "too many photos are being sent" in answer["error"]
    for connection in held:
        connection.close()
    wait_until(lambda: running.send(encoded("photo.png"))[0] == 202, "a free place")


@pytest.mark.parametrize("seconds", [1.5])
def child_that(does):
    """The program of a decoder that does something first."""
    return codec._CHILD.replace("answer(int", f"{does}\nanswer(int")


SLEEPING = """import time
from semanir_arch.restoring.serve import codec_work
codec_work.decode_image = lambda *given: time.sleep(3600)"""


def test_a_photo_is_cancelled_while_it_is_decoded(running, monkeypatch):
    running.queue._work.__self__.close()
    with monkeypatch.context() as patched:
        patched.setattr(codec, "_CHILD", child_that(SLEEPING))
        first = running.send(encoded("photo.png"))[1]["id"]
        wait_until(lambda: running.queue.find(first).state == "working", "the work")
    job = running.queue.find(first)
    second = running.send(encoded("photo.png"))[1]["id"]
    assert running.request("DELETE", f"/api/jobs/{first}")[0] == 204
    # without the end of its process it would take an hour
    wait_until(lambda: job.finished, "the end")
    assert job.state == "cancelled"
    assert running.finished(second)["state"] == "done"


def test_a_decoder_that_never_ends_is_ended(running, monkeypatch):
    running.queue._work.__self__.close()
    with monkeypatch.context() as patched:
        patched.setattr(codec, "_CHILD", child_that(SLEEPING))
        patched.setattr(codec, "SECONDS", 0.5)
        failed = running.finished(running.send(encoded("photo.png"))[1]["id"])
    assert failed["error"] == "photo.png: takes longer than 0.5 seconds; it is refused"
    assert running.finished(running.send(encoded("photo.png"))[1]["id"])["state"] == "done"


def test_a_decoder_that_dies_fails_its_photo_alone(running, monkeypatch):
    running.queue._work.__self__.close()
    with monkeypatch.context() as patched:
        patched.setattr(codec, "_CHILD", child_that("sys.exit()"))
        failed = running.finished(running.send(encoded("photo.png"))[1]["id"])
    assert failed["error"].startswith("photo.png: its decoder ended")
    assert running.finished(running.send(encoded("photo.png"))[1]["id"])["state"] == "done"
