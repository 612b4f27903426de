"""The addresses of the local page.

| address | gives |
| --- | --- |
| `GET /` | the page |
| `GET /api/options` | tasks and limits |
| `POST /api/jobs?task=T&name=N` | starts with the file that is the body; `&strength=S` bounds it |
| `GET /api/jobs/ID` | state and progress |
| `DELETE /api/jobs/ID` | cancels, or drops the result |
| `POST /api/jobs/ID/forget` | the same, for a page that is being closed |
| `GET /api/jobs/ID/before`, `after`, `result` | pictures for the screen, and the file |
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from semanir_arch.report.html import read_page_file
from semanir_arch.restoring.serve.choices import Choice
from semanir_arch.restoring.serve.connections import (
    TooSlowError,
    Upload,
    Uploads,
    UploadsFullError,
    timed_parts,
)
from semanir_arch.restoring.serve.guard import Guard, is_loopback
from semanir_arch.restoring.serve.upload import MAX_BYTES, MAX_PIXELS, check_size, clean_name
from semanir_arch.restoring.serve.work import BusyError, Job, Queue

__all__ = ["make_app"]

_HERE = "semanir_arch.restoring.serve"

_FILES = {
    "/": (_HERE, "page.html", "text/html"),
    "/shared.css": ("semanir_arch.report", "shared.css", "text/css"),
    "/page.css": (_HERE, "page.css", "text/css"),
    "/page.js": (_HERE, "page.js", "text/javascript"),
}


def make_app(choices: Sequence[Choice], queue: Queue, host: str) -> Guard:
    """The application.

    Args:
        choices: What the menu offers; one at least.
        queue: Does the work.
        host: What the server listens on.
    """
    return Guard(Starlette(routes=_Routes(choices, queue, host).routes()), host)


class _Routes:
    """What the addresses do."""

    def __init__(self, choices: Sequence[Choice], queue: Queue, host: str) -> None:
        self._choices = {choice.name: choice for choice in choices}
        self._queue = queue
        self._host = host
        self._uploads = Uploads()

    def routes(self) -> list[Route]:
        """All addresses."""
        return [
            *(_file_route(address, *file) for address, file in _FILES.items()),
            Route("/api/options", self.options),
            Route("/api/jobs", self.submit, methods=["POST"]),
            Route("/api/jobs/{id}", self.state),
            Route("/api/jobs/{id}", self.forget, methods=["DELETE"]),
            Route("/api/jobs/{id}/forget", self.forget, methods=["POST"]),
            Route("/api/jobs/{id}/{part}", self.part),
        ]

    async def options(self, _: Request) -> Response:
        """What the page offers."""
        return JSONResponse(
            {
                "tasks": [
                    {
                        "name": choice.name,
                        "title": choice.title,
                        "input": choice.input,
                        "scale": choice.scale,
                        "demonstration": choice.demonstration,
                        "strength": choice.strength,
                    }
                    for choice in self._choices.values()
                ],
                "maxBytes": MAX_BYTES,
                "maxPixels": MAX_PIXELS,
                "local": is_loopback(self._host),
            }
        )

    async def submit(self, request: Request) -> Response:
        """Take a file."""
        choice = self._choices.get(request.query_params.get("task", ""))
        name = clean_name(request.query_params.get("name", ""))
        if choice is None:
            return _error(400, f"unknown task; allowed: {', '.join(self._choices)}")
        try:
            strength = _read_strength(request.query_params.get("strength", ""), choice)
        except ValueError as error:
            return _error(400, str(error))
        client = request.client.host if request.client is not None else ""
        try:
            with self._uploads.begin(client) as upload:
                return await self._receive(request, upload, choice, name, strength)
        except UploadsFullError:
            return _error(503, "too many photos are being sent; try again in a minute")
        except TooSlowError:
            return _error(408, "the upload took too long")
        except ClientDisconnect:
            return _error(400, "the upload was not completed")

    async def _receive(
        self, request: Request, upload: Upload, choice: Choice, name: str, strength: float | None
    ) -> Response:
        """Wait for the body, and start the job; the body counts as an upload until then."""
        too_large = f"{name} is too large: this page takes files up to {MAX_BYTES >> 20} MiB"
        if int(request.headers.get("content-length", "0")) > MAX_BYTES:
            return _error(413, too_large)
        async for part in timed_parts(request):
            upload.add(part)
            if upload.size > MAX_BYTES:
                return _error(413, too_large)
        job = Job(choice.name, name, bytes(upload.data), strength)
        # not held twice
        upload.data.clear()
        try:
            await run_in_threadpool(check_size, job.data, name, choice.scale)
            self._queue.submit(job)
        except ValueError as error:
            return _error(422, str(error))
        except BusyError:
            return _error(503, "too many photos are waiting; try again in a minute")
        return JSONResponse(self._describe(job), 202)

    async def state(self, request: Request) -> Response:
        """Say how far a job is."""
        job = self._queue.find(request.path_params["id"])
        return _gone() if job is None else JSONResponse(self._describe(job))

    async def forget(self, request: Request) -> Response:
        """Cancel a job."""
        known = self._queue.forget(request.path_params["id"])
        return Response(status_code=204) if known else _gone()

    async def part(self, request: Request) -> Response:
        """Give a finished job's pictures and file."""
        job = self._queue.find(request.path_params["id"])
        outcome = job.outcome if job is not None else None
        part = request.path_params["part"]
        if outcome is None or part not in ("before", "after", "result"):
            return _gone()
        if part != "result":
            return Response(getattr(outcome, part), media_type="image/png")
        attachment = f"attachment; filename*=UTF-8''{quote(outcome.name)}"
        return Response(
            outcome.result,
            media_type=outcome.media_type,
            headers={"Content-Disposition": attachment},
        )

    def _describe(self, job: Job) -> dict[str, Any]:
        described: dict[str, Any] = {"id": job.id, "state": job.state}
        if job.state == "waiting":
            described["ahead"] = self._queue.ahead(job)
        if job.state == "working":
            described["progress"] = round(job.progress, 4)
            described["seconds"] = round(time.monotonic() - job.started, 1)
        if job.state == "failed":
            described["error"] = job.message
        if job.outcome is not None:
            described |= {"name": job.outcome.name, **job.outcome.facts}
        return described


def _file_route(address: str, package: str, name: str, media_type: str) -> Route:
    text = read_page_file(package, name)

    async def give(_: Request) -> Response:
        return Response(text, media_type=media_type)

    return Route(address, give)


def _read_strength(text: str, choice: Choice) -> float | None:
    """A bound, or None for an empty text.

    Raises:
        ValueError: It is no number, or the task has nothing to bound.
    """
    if not text:
        return None
    if choice.strength is None:
        raise ValueError(f"{choice.title} has no strength that could be bounded")
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no number") from error


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _gone() -> Response:
    return _error(404, "the result is not kept any more; restore the photo again")
