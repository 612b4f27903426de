"""Start the page, and end it cleanly."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import uvicorn

from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.app import make_app
from semanir_arch.restoring.serve.choices import NetworkChoice, find_choices
from semanir_arch.restoring.serve.connections import MAX_CONNECTIONS, TimedProtocol
from semanir_arch.restoring.serve.desk import Desk
from semanir_arch.restoring.serve.guard import LOOPBACK, Guard, is_loopback
from semanir_arch.restoring.serve.job_queue import Queue
from semanir_arch.restoring.serve.photo_restoring import Workshop
from semanir_arch.utils.errors import FileError

__all__ = ["PORT", "make_server", "serve"]

PORT = 7860


def serve(
    open_restorer: Callable[[NetworkChoice], Restorer],
    say: Callable[[str], None],
    *,
    host: str = LOOPBACK,
    port: int = PORT,
    weights: Path | None = None,
    task: str | None = None,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        open_restorer: Function that loads a network.
        say: Function that gets lines for the person who started it.
        host: Address to listen on; others than 127.0.0.1 let other computers in.
        port: Port; 0 for any that is free.
        weights: File of the only network to offer.
        task: Task to offer alone.

    Raises:
        OSError: The port is in use, or the host is not of this computer.
        ValueError: A network cannot be loaded, or there is none.
    """
    choices = find_choices(weights, task)
    workshop = Workshop(choices, open_restorer)
    # what cannot work is said now, not to the first photo
    first = workshop.restorer(choices[0].name)
    if weights is not None:
        strength = None if first.task is None else first.task.strength
        choices = [replace(choices[0], scale=first.upscale, strength=strength)]
    listener = _listen(host, port)
    if not is_loopback(host):
        say(
            f"warning: listening on {host}: everybody who reaches this computer can send photos; "
            "there is no password and no encryption"
        )
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listener.getsockname()[1]}/  (Ctrl-C ends)")
    queue, desk = Queue(workshop.work), Desk()
    try:
        # a process that a shell's script started in the background ends without the exception
        with suppress(KeyboardInterrupt):
            make_server(make_app(choices, queue, desk, host)).run([listener])
        say("ended")
    finally:
        queue.close()
        workshop.close()
        desk.close()
        listener.close()


def make_server(app: Guard) -> uvicorn.Server:
    """A quiet server for the page; `should_exit` ends it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            http=TimedProtocol,
            timeout_graceful_shutdown=2,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: In one line, with what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OverflowError as error:
        raise FileError(f"--port {port}: allowed: 0 to 65535") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise FileError(
                f"port {port} of {host} is in use; choose another with --port, or 0 for any"
            ) from error
        raise FileError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}"
        ) from error
