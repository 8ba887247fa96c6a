"""uvicorn as Headway runs it: on SIGTERM the open streams are told first, then the process ends."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.paths import keeping_slashes
from api.requests import observed

CONNECTION = "headway.connection"  # the ASGI extension that gives an app its Protocol
KEEP_ALIVE = (
    75  # seconds; longer than load balancers keep idle connections (60), or they send requests into closing ones
)


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose app may take a connection over, when it has sent the head of a response."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let another protocol finish the response and close the connection, as uvicorn does for WebSockets."""
        if self.cycle.disconnected:  # The client left while the app was at work.
            protocol.connection_lost(None)
            return
        self.cycle.disconnected = True  # whatever the app still sends is not for this connection
        self.connections.discard(self)
        self.flow.resume_reading()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)


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
        log_config=None,  # streams/log.py says how everything is logged
        proxy_headers=False,  # nothing here depends on the client's address
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE,
    )
    return Server(config, drain)
