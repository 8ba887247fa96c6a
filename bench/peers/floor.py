"""The floor: what no server in Python on uvloop can do without, and nothing else.

It reads the same messages from the same Redis (hiredis cuts them, in C), and answers each with one
`transport.write` per watcher. It knows no states, no pings, no ends, no slow readers, no callers.
"""

import asyncio
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hiredis
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\n: hi\n\r\n"


class Watchers:
    """The open connections by channel."""

    def __init__(self) -> None:
        self.by_channel: dict[bytes, list[Any]] = {}
        self.redis: Any = None

    def join(self, channel: bytes, transport: Any) -> None:
        """Tell a connection what comes on a channel."""
        if channel not in self.by_channel:
            self.by_channel[channel] = []
            self.redis.write(hiredis.pack_command(("SUBSCRIBE", channel)))  # type: ignore[arg-type]
        self.by_channel[channel].append(transport)


class Feed(asyncio.Protocol):
    """The connection to Redis."""

    def __init__(self, watchers: Watchers) -> None:
        self._watchers = watchers
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be the one on which channels are joined."""
        self._watchers.redis = transport

    def data_received(self, data: bytes) -> None:
        """Write each message to those who watch its channel."""
        self._reader.feed(data)
        while message := self._reader.gets():
            kind, channel, content = message
            if kind == b"message":
                frame = b"event: update\ndata: %s\n\n" % content.partition(b"\n")[2]
                chunk = b"%x\r\n%s\r\n" % (len(frame), frame)
                for transport in self._watchers.by_channel[channel]:
                    transport.write(chunk)


class Connection(asyncio.Protocol):
    """A watcher's connection."""

    __slots__ = ("_channel", "_transport", "_watchers")

    def __init__(self, watchers: Watchers) -> None:
        self._watchers = watchers
        self._channel = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer the request."""
        channel = parse_qs(urlsplit(data.split(b" ", 2)[1]).query)[b"channel"][0]
        self._transport.write(HEAD)
        self._channel = channel
        self._watchers.join(channel, self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Leave."""
        if self._channel:
            self._watchers.by_channel[self._channel].remove(self._transport)


async def main(port: int, redis_url: str) -> None:
    """Serve."""
    loop = asyncio.get_running_loop()
    watchers = Watchers()
    redis = urlsplit(redis_url)
    await loop.create_connection(lambda: Feed(watchers), redis.hostname or "127.0.0.1", redis.port or 6379)
    server = await loop.create_server(lambda: Connection(watchers), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
