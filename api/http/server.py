"""uvicorn as Headway runs it: on SIGTERM the open streams are told first, then the process ends."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from api.http.connection import Protocol
from api.http.paths import keeping_slashes
from api.http.requests import observed

FINISH_WITHIN = 0.5  # seconds that other requests have when the process stops; DynamoDB may not answer at all
KEEP_ALIVE = 75  # seconds; longer than the 60 of load balancers, or they send requests into closing connections


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


def server_for(app: Litestar, drain: Callable[[], Awaitable[None]], host: str, port: int) -> Server:
    """Make the server of one process."""
    config = uvicorn.Config(
        observed(keeping_slashes(app)),
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,  # streams/telemetry/logs.py says how everything is logged
        proxy_headers=False,  # nothing here depends on the client's address
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH_WITHIN,  # type: ignore[arg-type]  # it goes to asyncio.wait_for()
    )
    return Server(config, drain)
