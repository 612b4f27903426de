"""The addresses of the local page.

| address | gives |
| --- | --- |
| `GET /` | the page |
| `GET /api/options` | tasks and limits |
| `POST /api/look?name=N` | what is wrong with the file that is the body; `&shown=1`: a picture |
| `POST /api/jobs?task=T&name=N` | starts with the file that is the body; `&strength=S` bounds it |
| `POST /api/tries?name=N` | starts every task on a part of it |
| `GET /api/jobs/ID` | state and progress |
| `DELETE /api/jobs/ID` | cancels, or drops the result |
| `POST /api/jobs/ID/forget` | the same, for a page that is being closed |
| `GET /api/jobs/ID/before`, `after`, `result` | pictures for the screen, and the file |
| `GET /api/jobs/ID/result?share=S` | the file with a share, 0 to 1, of the change |
| `GET /api/jobs/ID/sample/I` | part of the photo (0) and what the tasks made of it (1, ...) |
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from semanir_arch.report.html import read_page_file
from semanir_arch.restoring.serve.choices import NetworkChoice, split_choice
from semanir_arch.restoring.serve.connections import (
    TooSlowError,
    Upload,
    Uploads,
    UploadsFullError,
    timed_parts,
)
from semanir_arch.restoring.serve.desk import Desk
from semanir_arch.restoring.serve.guard import Guard, is_loopback
from semanir_arch.restoring.serve.job_queue import BusyError, PhotoJob, Queue, RestoredPhoto
from semanir_arch.restoring.serve.upload import MAX_BYTES, MAX_PIXELS, check_size, clean_name
from semanir_arch.restoring.serve.watch import StoppedError
from semanir_arch.tasks import TASKS
from semanir_arch.utils.errors import InputError, UserError

__all__ = ["make_app"]

_HERE = "semanir_arch.restoring.serve"

_SCRIPTS = ("asking.js", "zip.js", "stage.js", "photos.js", "restoring.js", "page.js")

_FILES = {
    "/": (_HERE, "page.html", "text/html"),
    "/shared.css": ("semanir_arch.report", "shared.css", "text/css"),
    "/page.css": (_HERE, "page.css", "text/css"),
    **{f"/{name}": (_HERE, name, "text/javascript") for name in _SCRIPTS},
}


def make_app(choices: Sequence[NetworkChoice], queue: Queue, desk: Desk, host: str) -> Guard:
    """The application.

    Args:
        choices: Networks that the menu offers, at least one.
        queue: Queue that does the work.
        desk: Answers at once what needs no network.
        host: Host that the server listens on.
    """
    return Guard(Starlette(routes=_Routes(choices, queue, desk, host).routes()), host)


class _Routes:
    """Handlers of the addresses."""

    def __init__(
        self, choices: Sequence[NetworkChoice], queue: Queue, desk: Desk, host: str
    ) -> None:
        self._choices = {choice.name: choice for choice in choices}
        self._queue = queue
        self._desk = desk
        self._host = host
        self._uploads = Uploads()

    def routes(self) -> list[Route]:
        """All addresses."""
        return [
            *(_file_route(address, *file) for address, file in _FILES.items()),
            Route("/api/options", self.options),
            Route("/api/look", self.look, methods=["POST"]),
            Route("/api/jobs", self.submit, methods=["POST"]),
            Route("/api/tries", self.try_all, methods=["POST"]),
            Route("/api/jobs/{id}", self.state),
            Route("/api/jobs/{id}", self.forget, methods=["DELETE"]),
            Route("/api/jobs/{id}/forget", self.forget, methods=["POST"]),
            Route("/api/jobs/{id}/sample/{number:int}", self.sample),
            Route("/api/jobs/{id}/{part}", self.part),
        ]

    async def options(self, _: Request) -> Response:
        """Send what the page offers."""
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
                "chooses": len(self._choices) > 1,
            }
        )

    async def look(self, request: Request) -> Response:
        """Say what is wrong with a file."""
        shown = request.query_params.get("shown") == "1"
        # of weights of one's own nobody knows what they are good for
        offered = [choice.name for choice in self._choices.values() if choice.name in TASKS]

        async def answer(data: bytes, name: str) -> Response:
            def work() -> dict[str, Any]:
                check_size(data, name, 1)
                return self._desk.look(data, name, offered, shown=shown)

            return JSONResponse(await run_in_threadpool(work))

        return await self._take(request, answer)

    async def submit(self, request: Request) -> Response:
        """Take a file, and start its restoration."""
        task = request.query_params.get("task", "")
        try:
            chain = split_choice(task, self._choices)
            strength = _read_strength(request.query_params.get("strength", ""), chain)
        except UserError as error:
            return _error(400, str(error))
        scale = math.prod(choice.scale for choice in chain)

        async def answer(data: bytes, name: str) -> Response:
            return await self._start(PhotoJob(task, name, data, strength), scale)

        return await self._take(request, answer)

    async def try_all(self, request: Request) -> Response:
        """Take a file, and try every task on a part of it."""

        async def answer(data: bytes, name: str) -> Response:
            return await self._start(PhotoJob("", name, data, tries=True), 1)

        return await self._take(request, answer)

    async def _start(self, job: PhotoJob, scale: int) -> Response:
        await run_in_threadpool(check_size, job.data, job.name, scale)
        self._queue.submit(job)
        return JSONResponse(self._describe(job), 202)

    async def _take(
        self, request: Request, answer: Callable[[bytes, str], Awaitable[Response]]
    ) -> Response:
        """Receive a file and answer; it counts as an upload until then."""
        name = clean_name(request.query_params.get("name", ""))
        client = request.client.host if request.client is not None else ""
        try:
            with self._uploads.begin(client) as upload:
                if not await _receive(request, upload):
                    limit = MAX_BYTES >> 20
                    text = f"{name} is too large: this page takes files up to {limit} MiB"
                    return _error(413, text)
                return await answer(upload.take(), name)
        except UploadsFullError:
            return _error(503, "too many photos are being sent; try again in a minute")
        except TooSlowError:
            return _error(408, "the upload took too long")
        except ClientDisconnect:
            return _error(400, "the upload was not completed")
        except UserError as error:
            return _error(422, str(error))
        except (BusyError, StoppedError):
            return _error(503, "too many photos are waiting; try again in a minute")

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
        outcome = self._outcome(request)
        part = request.path_params["part"]
        if outcome is None or part not in ("before", "after", "result"):
            return _gone()
        if part != "result":
            return Response(getattr(outcome, part), media_type="image/png")
        try:
            share = _read_share(request.query_params.get("share", "1"))
            result = outcome.result
            if share < 1:
                result = await run_in_threadpool(self._desk.blend, outcome, share)
        except UserError as error:
            return _error(400, str(error))
        except (BusyError, StoppedError):
            return _error(503, "too many photos are waiting; try again in a minute")
        attachment = f"attachment; filename*=UTF-8''{quote(outcome.name)}"
        return Response(
            result, media_type=outcome.media_type, headers={"Content-Disposition": attachment}
        )

    async def sample(self, request: Request) -> Response:
        """Give what a task made of a part of the photo."""
        outcome, number = self._outcome(request), request.path_params["number"]
        if outcome is None or number >= len(outcome.samples):
            return _gone()
        return Response(outcome.samples[number], media_type="image/png")

    def _outcome(self, request: Request) -> RestoredPhoto | None:
        job = self._queue.find(request.path_params["id"])
        return job.outcome if job is not None else None

    def _describe(self, job: PhotoJob) -> dict[str, Any]:
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


async def _receive(request: Request, upload: Upload) -> bool:
    """Wait for the body; False if it is too large."""
    if int(request.headers.get("content-length", "0")) > MAX_BYTES:
        return False
    async for part in timed_parts(request):
        upload.add(part)
        if upload.size > MAX_BYTES:
            return False
    return True


def _read_strength(text: str, chain: Sequence[NetworkChoice]) -> float | None:
    """A bound, or None for an empty text.

    Raises:
        ValueError: It is no number, or no task has anything to bound.
    """
    if not text:
        return None
    if not any(choice.strength for choice in chain):
        titles = " + ".join(choice.title for choice in chain)
        raise InputError(f"{titles} has no strength to bound")
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a number") from error


def _read_share(text: str) -> float:
    """A share.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"share={text!r}; allowed: 0 to 1")
    return share


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _gone() -> Response:
    return _error(404, "the result is no longer kept; restore the photo again")
