"""uvicorn as Headway runs it: on SIGTERM the open streams are told first, then the process ends."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from litestar import Litestar

from api.http.bounds import Bounds
from api.http.connection import Protocol
from api.http.listener import Listener
from api.http.paths import keeping_slashes
from api.http.requests import observed

FINISH_WITHIN = 0.5  # seconds that other requests have when the process stops; DynamoDB may not answer at all


class Server(uvicorn.Server):
    """A server that tells its streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and return from serve() instead of dying of the signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell every stream that it ends, then wait for the rest."""
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)


def server_for(app: Litestar, drain: Callable[[], Awaitable[None]], host: str, port: int, bounds: Bounds) -> Server:
    """Make the server of one process."""
    listener = Listener(bounds)
    config = uvicorn.Config(
        observed(keeping_slashes(app)),
        host=host,
        port=port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", partial(Protocol, listener=listener)),  # called as the class would be
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,  # streams/telemetry/logs.py says how everything is logged
        proxy_headers=False,  # nothing here depends on the client's address
        server_header=False,
        callback_notify=listener.look,
        timeout_notify=0,  # as often as it is looked at, which is each second
        timeout_graceful_shutdown=FINISH_WITHIN,  # type: ignore[arg-type]  # it goes to asyncio.wait_for()
    )
    return Server(config, drain)
