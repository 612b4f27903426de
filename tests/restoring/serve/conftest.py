"""A running server, whose network returns its input and works only while it is allowed to."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.app import make_app
from semanir_arch.restoring.serve.choices import NetworkChoice
from semanir_arch.restoring.serve.desk import Desk
from semanir_arch.restoring.serve.job_queue import Queue
from semanir_arch.restoring.serve.photo_restoring import Workshop
from semanir_arch.restoring.serve.server import make_server
from tests.helpers import TINY_SR, TINY_UNET, save_weights

CHOICES = [
    NetworkChoice("same", "The same again", input="any photo", strength="sigma"),
    NetworkChoice("large", "Twice as large", scale=2, demonstration=True),
]


def wait_until(condition, what="the condition", seconds=300):
    """Value of `condition` as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} was not reached in {seconds} s")


@dataclass
class Running:
    """A server.

    Attributes:
        port: Where it listens.
        queue: What it works on.
        allowed: While it is not set, the network waits.
    """

    port: int
    queue: Queue
    allowed: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def request(self, method, path, body=None, **headers) -> tuple[int, Any, Any]:
        """Status, content (decoded if it is JSON) and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content, answer.headers

    def send(self, data, name="photo.png", task="same"):
        return self.request("POST", f"/api/jobs?task={task}&name={quote(name)}", data)[:2]

    def finished(self, job_id):
        """What becomes of a job."""

        def state():
            described = self.request("GET", f"/api/jobs/{job_id}")[1]
            return described if described["state"] not in ("waiting", "working") else None

        return wait_until(state, "the end of the job")


@pytest.fixture(scope="session")
def _running(tmp_path_factory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("weights")
    save_weights(folder / "same.pth", TINY_UNET, identity=True)
    save_weights(folder / "large.pth", TINY_SR)
    restorers = {name: Restorer(folder / f"{name}.pth", "cpu") for name in ("same", "large")}
    workshop = Workshop(CHOICES, lambda choice: restorers[choice.name])
    queue, desk = Queue(workshop.work), Desk()
    listener = socket.create_server(("127.0.0.1", 0))
    running = Running(listener.getsockname()[1], queue)

    def wait_for_permission(*_):
        running.allowed.wait(600)

    for restorer in restorers.values():
        restorer.network.register_forward_pre_hook(wait_for_permission)
    server = make_server(make_app(CHOICES, queue, desk, "127.0.0.1"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield running
    running.allowed.set()
    server.should_exit = True
    thread.join()
    queue.close()
    workshop.close()
    desk.close()


@pytest.fixture
def running(_running) -> Iterator[Running]:
    """The server, with nothing to do."""
    _running.allowed.set()
    yield _running
    _running.allowed.set()
    for job_id in list(_running.queue._jobs):
        _running.queue.forget(job_id)
