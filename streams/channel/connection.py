"""A subscriber connection, read lean.

redis-py connects: TLS, AUTH and the handshake are its business. From then on its parser would cost half
of what a busy hub does (one awaited call and one timeout per message), so the socket's chunks go straight
to hiredis, and all messages of a chunk are handed over before anything else runs.
"""

import asyncio
from collections.abc import Callable
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse

from streams.errors import ChannelUnavailable

CONNECT_WITHIN = 5.0  # seconds, the handshake included
SEVERAL = 8  # messages in one piece: more are coming
BACKLOG = 65_536  # bytes in one piece: more are waiting already
TOGETHER = 0.05  # seconds for which a busy connection is left alone, so that what comes meanwhile is read in one piece
BITE = 16_384  # bytes fed at once: hiredis moves up all that it holds after each kilobyte that was taken


class Line(asyncio.Protocol):
    """One connection; `take` is called with all replies that came together, a RedisError for each error reply.

    `ended` fails with the reason when the connection ends, or when `take` raises.
    """

    def __init__(self, connection: Any, take: Callable[[list[Any]], None]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection = connection  # kept: redis-py closes what nobody holds
        self._transport: asyncio.Transport = connection._writer.transport  # noqa: SLF001 - it hands it to nobody
        self._take = take
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)
        self._transport.set_protocol(self)
        # Half of the buffer is the kernel's own, and a full one is a backlog, however small it is.
        buffer = self._transport.get_extra_info("socket").getsockopt(SOL_SOCKET, SO_RCVBUF)
        self._backlog = min(BACKLOG, buffer // 4)

    def send(self, *words: bytes) -> None:
        """Send a command; its replies come like everything else."""
        self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type]  # its stub says one word

    async def close(self) -> None:
        """End the connection at once."""
        self.ended.cancel()
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Hand over all that is complete."""
        taken = 0
        try:
            for start in range(0, len(data), BITE):
                self._reader.feed(data, start, min(BITE, len(data) - start))
                replies = self._replies()
                taken += len(replies)
                self._take(replies)
            if taken >= SEVERAL and len(data) < self._backlog:
                self._rest()
        except Exception as error:  # noqa: BLE001 - whoever waits for the end gets it
            self._end(error)

    def _replies(self) -> list[Any]:
        replies, gets = [], self._reader.gets
        while (reply := gets()) is not False:
            replies.append(reply)
        return replies

    def _rest(self) -> None:
        """Read no more for a moment.

        A process that wakes finds the processor's caches full of others' work. So a hundred messages in one piece cost a third
        less than in five pieces. A backlog is read on.
        """
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(TOGETHER, self._read_on)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why."""
        self._end(exc or Disconnected("the connection was closed"))

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(reason)
            self.ended.exception()  # Whoever waited may have given up.
            self._transport.abort()


async def connect(redis: Redis, take: Callable[[list[Any]], None]) -> Line:
    """Open a connection like the client's own; raises RedisError, OSError, ChannelUnavailable."""
    connection: Any = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            await connection.connect()
    except TimeoutError:
        await connection.disconnect(nowait=True)
        raise ChannelUnavailable(f"no connection within {CONNECT_WITHIN:.0f} s") from None
    return Line(connection, take)
