"""Around every request: its id, how long it took, and a line in the log where it failed on this side."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import cache
from random import getrandbits
from typing import Any

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Histogram

log = structlog.get_logger()

Header = tuple[bytes, bytes]

REQUEST_ID = "headway.request_id"  # where the scope's state holds it
SANE = re.compile(rb"[A-Za-z0-9_.:=+/-]{1,64}")  # what a proxy may have given it; anything else is replaced
SERVER_ERROR = 500

requests = Histogram(
    "headway_request_seconds", "Time to answer a request; of a stream, to its first bytes", ["route", "status"]
)


def observed(app: ASGIApp) -> ASGIApp:
    """Wrap an app so that each request has an id: in the log, in X-Request-ID of the answer, and for handlers in the scope.

    A request that the end of the process cancels is asked to come again, not told of an error.
    """

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.setdefault("state", {})[REQUEST_ID] = _id_of(scope)
        structlog.contextvars.clear_contextvars()  # of the request before, on the same connection
        structlog.contextvars.bind_contextvars(request_id=request_id)
        begun = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await app(scope, receive, answer)
        except asyncio.CancelledError:
            if status:
                raise
            await respond(answer, 503, [(b"retry-after", b"1"), (b"content-length", b"0")])
        finally:
            _note(scope.get("path_template", "none"), status, time.perf_counter() - begun)

    return run


async def respond(
    send: Callable[[Any], Awaitable[None]], status: int, headers: list[Header], body: bytes = b""
) -> None:
    """Send a whole response; Litestar's type of `send` and Starlette's differ, and mean the same."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE.fullmatch(value):
            return value.decode()
    return f"{getrandbits(56):014x}"  # 64 bytes of memory; a stream keeps it


@cache
def _histogram(route: str, status: int) -> Histogram:
    """Return one of some dozens; the client library checks the labels each time that it is asked."""
    return requests.labels(route, str(status or "none"))


def _note(route: str, status: int, seconds: float) -> None:
    _histogram(route, status).observe(seconds)
    if status >= SERVER_ERROR:  # The reason, and the job, were bound where they were known.
        say = log.error if status == SERVER_ERROR else log.warning
        say("request failed", route=route, status=status, seconds=round(seconds, 3))
