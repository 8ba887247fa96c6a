"""A proxy before DynamoDB that counts calls by their name as the bytes go by, for a few microseconds each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

TARGET = b"x-amz-target:"
LONGEST = 100  # bytes of that header


class Counting:
    """What goes through; `counts` grows while it is used."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.url = ""

    def saw(self, tail: bytes, data: bytes) -> bytes:
        """Count the names that are whole; return what the next bytes may still make one of."""
        seen, done = tail + data, 0
        lower = seen.lower()  # names of headers come in any case
        while (at := lower.find(TARGET, done)) >= 0 and (end := seen.find(b"\r\n", at)) >= 0:
            self.counts[seen[at:end].rpartition(b".")[2].decode()] += 1
            done = end
        return seen[done:][-LONGEST:]


class Upstream(asyncio.Protocol):
    """The proxy's connection to the engine: what comes is handed down."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        """Hand down."""
        self._client.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Close with it."""
        self._client.close()


class Downstream(asyncio.Protocol):
    """A client's connection: what it says is counted and handed up."""

    def __init__(self, counting: Counting, host: str, port: int) -> None:
        self._counting = counting
        self._address = (host, port)
        self._tail = b""
        self._waiting: list[bytes] = []
        self._engine: Any = None
        self._connecting: asyncio.Task[None] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the engine."""
        self._transport = transport
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._engine, _ = await loop.create_connection(lambda: Upstream(self._transport), *self._address)
        self._engine.writelines(self._waiting)

    def data_received(self, data: bytes) -> None:
        """Count, and hand up."""
        self._tail = self._counting.saw(self._tail, data)
        if self._engine:
            self._engine.write(data)
        else:
            self._waiting.append(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Close with it."""
        if self._engine:
            self._engine.close()


@asynccontextmanager
async def counting(target: str) -> AsyncIterator[Counting]:
    """Give a proxy of an engine, on a port of its own."""
    found = Counting()
    address = urlsplit(target)
    connected = partial(Downstream, found, address.hostname or "127.0.0.1", address.port or 80)
    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
