"""Who may talk to the server: the page it served itself, and nobody else's.

A browser lets any web site send requests to 127.0.0.1. Requests from other sites are told by the
headers Origin and Sec-Fetch-Site; a site that makes its own name point here (DNS rebinding), by the
header Host, which then holds that name. Origin must have the scheme, name and port of the page,
Host the port on which the server listens: other programs of this computer have pages of their own.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

__all__ = ["LOOPBACK", "Guard", "is_loopback"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"

_SMALL_BODY = 2**20
"""Bytes of a refused request that are read before it is answered."""

_BODY_SECONDS = 5.0
"""Seconds to wait for the body of a refused request."""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:/@,\s]+)(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests of other web sites, and forbids the page to load anything from elsewhere.

    Args:
        app: The application behind it.
        host: Host that the server listens on. On a loopback address only the names of this computer
            are answered; on others also every IP address, which no site can make point elsewhere,
            and the computer's own names.
    """

    def __init__(self, app: Application, host: str = LOOPBACK) -> None:
        self._app = app
        self._names = {"localhost", host.lower()}
        self._any_address = not is_loopback(host)
        if self._any_address:
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[str, str] = {}
        for key, value in scope["headers"]:
            name = key.decode("latin-1").lower()
            # of two origins, neither is the one
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        reason = self._why_not(scope, headers)
        if reason is not None:
            await _take_body(receive)
            await _refuse(send, reason)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), text.encode()) for name, text in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _why_not(self, scope: Scope, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "")
        found = _HOST.fullmatch(host)
        if found is None or not self._is_ours(found["name"]):
            return f"this server does not answer to the name {host!r}"
        scheme = str(scope.get("scheme", "http"))
        port = int(found["port"] or _PORTS.get(scheme, 80))
        if (own := (scope.get("server") or (None, None))[1]) not in (port, None):
            return f"this server does not answer to port {port}, but to {own}"
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scheme}://{host}".lower():
            return f"requests from {origin} are refused"
        site = headers.get("sec-fetch-site", "same-origin")
        # a link to the page itself may stand anywhere
        is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not is_link:
            return "requests from other web sites are refused"
        return None

    def _is_ours(self, name: str) -> bool:
        name = name.strip("[]").lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._any_address or address.is_loopback


def is_loopback(host: str) -> bool:
    """Whether a server on this host is reached from this computer alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _take_body(receive: Receive) -> None:
    """Read a small body, whose sender would see a broken connection instead of the answer."""
    left, more = _SMALL_BODY, True
    with anyio.move_on_after(_BODY_SECONDS):
        while more and left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            more = message.get("more_body", False)


async def _refuse(send: Send, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
