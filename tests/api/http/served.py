"""A process that listens as the api does, for tests of the listener alone: `python -m tests.api.http.served PORT BOUNDS`."""

import asyncio
import sys
from typing import cast

import uvloop
from litestar import Litestar, Response, asgi, get
from litestar.types import Receive, Scope, Send
from msgspec import json

from api.health import live
from api.http.bounds import Bounds
from api.http.connection import CONNECTION, Protocol
from api.http.problems import HANDLERS
from api.http.server import server_for


@get("/short")
async def short() -> str:
    """Answer at once."""
    return "short"


@get("/slow")
async def slow(seconds: float) -> str:
    """Answer after some time."""
    await asyncio.sleep(seconds)
    return "slow"


@get("/large")
async def large(size: int) -> Response[bytes]:
    """Answer with so many bytes."""
    return Response(b"x" * size, media_type="application/octet-stream")


@asgi("/stream")
async def stream(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Answer as a stream does."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    cast("Protocol", scope["extensions"][CONNECTION]).hand_over(Silent())  # type: ignore[index]


class Silent(asyncio.Protocol):
    """A stream that says nothing until its client leaves."""


async def nothing() -> None:
    """Drain nothing."""


def main(port: int, bounds: Bounds) -> None:
    """Serve until SIGTERM."""
    app = Litestar([short, slow, large, stream, live], openapi_config=None, exception_handlers=HANDLERS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server_for(app, nothing, "127.0.0.1", port, bounds).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), json.decode(sys.argv[2], type=Bounds))
