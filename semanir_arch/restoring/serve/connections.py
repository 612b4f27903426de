"""Connections that may not wait for ever, nor be too many, nor hold too much.

A client that sends half a request, or reads no answer, costs a place; one that sends half a photo,
memory too. Each gets a time, and each address a share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = [
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_CLIENT",
    "TimedProtocol",
    "TooSlowError",
    "Upload",
    "Uploads",
    "UploadsFullError",
    "timed_parts",
]

HEADER_SECONDS = 10.0
"""Within which the head of a request must come, counted from the connection or the last answer."""

PART_SECONDS = 15.0
"""Within which the next part of a photo must come."""

BODY_SECONDS = 120.0
"""Within which a whole photo must come."""

REQUEST_SECONDS = BODY_SECONDS + 60.0
"""After which a connection is cut whose answer has not been taken."""

MAX_CONNECTIONS = 64
MAX_CONNECTIONS_PER_CLIENT = 32

MAX_UNFINISHED = 4
"""Photos that one client may be sending at once."""

MAX_UNFINISHED_BYTES = 128 * 2**20
"""Most bytes of photos that one client is sending."""

MAX_ALL_UNFINISHED_BYTES = 256 * 2**20
"""Most bytes of photos that all clients together are sending."""

_TICK = 1.0
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with limits on how long a connection may take."""

    _since = 0.0
    _was_busy = False
    _last_cycle: object = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to count the time; too many connections of one client are closed."""
        super().connection_made(transport)
        address = _address(self)
        own = sum(_address(one) == address for one in self.connections)
        if own > MAX_CONNECTIONS_PER_CLIENT:
            transport.write(_REFUSAL)
            transport.close()
            return
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _tick(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        # a new request may have come and gone since
        if busy != self._was_busy or self.cycle is not self._last_cycle or not self._since:
            self._was_busy, self._last_cycle = busy, self.cycle
            self._since = self._now()
        if self._now() - self._since > (REQUEST_SECONDS if busy else HEADER_SECONDS):
            self.transport.abort()
            return
        self._timer = self.loop.call_later(_TICK, self._tick)

    def _now(self) -> float:
        """Seconds of a clock that runs on."""
        return self.loop.time()


def _address(connection: object) -> str:
    """Address of the client; empty if there is none."""
    client = getattr(connection, "client", None)
    return str(client[0]) if client else ""


class TooSlowError(Exception):
    """A photo did not come in time."""


class UploadsFullError(Exception):
    """More is being sent than may be held."""


class Uploads:
    """Uploads in progress, by client; used from the server's thread alone."""

    def __init__(self) -> None:
        self._open: dict[str, list[Upload]] = {}

    @property
    def size(self) -> int:
        """Bytes of all clients."""
        return sum(upload.size for uploads in self._open.values() for upload in uploads)

    @contextmanager
    def begin(self, client: str) -> Iterator[Upload]:
        """A photo that a client sends, for as long as the block lasts.

        Raises:
            UploadsFullError: The client sends too many already.
        """
        own = self._open.setdefault(client, [])
        if len(own) >= MAX_UNFINISHED:
            raise UploadsFullError
        upload = Upload(self, client)
        own.append(upload)
        try:
            yield upload
        finally:
            own.remove(upload)
            if not own:
                self._open.pop(client, None)

    def check(self, client: str, more: int) -> None:
        """Refuse to hold more bytes of a client.

        Raises:
            UploadsFullError: It would be too much, of this client or of all.
        """
        own = sum(upload.size for upload in self._open[client])
        if own + more > MAX_UNFINISHED_BYTES or self.size + more > MAX_ALL_UNFINISHED_BYTES:
            raise UploadsFullError


class Upload:
    """A photo that is being sent.

    Args:
        uploads: All that are.
        client: Address of the sender.
    """

    def __init__(self, uploads: Uploads, client: str) -> None:
        self._uploads = uploads
        self._client = client
        self.data = bytearray()
        self._taken = 0

    @property
    def size(self) -> int:
        """Bytes so far, those that were taken included."""
        return len(self.data) + self._taken

    def take(self) -> bytes:
        """The whole body, which is not held twice, and counts until the answer."""
        body = bytes(self.data)
        self._taken += len(body)
        self.data.clear()
        return body

    def add(self, part: bytes) -> None:
        """Keep a part.

        Raises:
            UploadsFullError: See `Uploads.check`.
        """
        self._uploads.check(self._client, len(part))
        self.data += part


async def timed_parts(request: Request) -> AsyncIterator[bytes]:
    """The body of a request, part by part.

    Raises:
        TooSlowError: The next part, or the whole, takes too long.
        ClientDisconnect: The client has gone.
    """
    end = anyio.current_time() + BODY_SECONDS
    stream = request.stream()
    while True:
        left = min(PART_SECONDS, end - anyio.current_time())
        try:
            with anyio.fail_after(max(left, 0)):
                part = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise TooSlowError from error
        yield part
