"""One name, two servers: connections go to whichever server the name stands for when they are made, and stay there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Switch:
    """A TCP proxy, as a Kubernetes Service or HAProxy is one; `port` is where new connections go."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted = 0
        self._open: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pump(reader, back))
            tasks.create_task(_pump(there, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def switch_to(port: int) -> AsyncIterator[tuple[Switch, int]]:
    """Give a switch and the port of its name."""
    switch = Switch(port)
    server = await asyncio.start_server(switch.carry, "127.0.0.1", 0)
    try:
        yield switch, server.sockets[0].getsockname()[1]
    finally:
        server.close()
