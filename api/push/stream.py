"""From a mailbox to a client: the protocol of a connection whose response is an open stream.

Once a stream has begun nothing of the request is needed any more: no task, no parser, no ASGI. The
connection is handed to this protocol, as uvicorn hands one to a WebSocket. While the transport is full the
mailbox keeps the newest.
"""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import structlog

from api.push.cause import Cause
from api.push.frames import LAST
from api.push.mailbox import Mailbox
from api.push.metrics import Counts

log = structlog.get_logger()


class Outbox:
    """The streams of a process that have something to write, which all do one after the other.

    First all that Redis sent in one piece is read, then all is written: Python and the kernel do not keep
    driving each other out of the processor's caches, and of two states in one piece only the newer one is sent.
    """

    def __init__(self) -> None:
        self._waiting: list[Stream] = []

    def add(self, stream: "Stream") -> None:
        """Have a stream write in a moment."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(stream)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            stream.flush()


class Stream(asyncio.Protocol):
    """Writes what comes into a mailbox until it ends or the client leaves; then calls `leave`, once."""

    __slots__ = ("_begun", "_counts", "_is_rung", "_leave", "_mailbox", "_outbox", "_request_id", "_transport")

    def __init__(
        self, mailbox: Mailbox, outbox: Outbox, counts: Counts, request_id: str, leave: Callable[[], None]
    ) -> None:
        self._mailbox = mailbox
        self._outbox = outbox
        self._is_rung = False
        self._counts = counts
        self._request_id = request_id
        self._leave = leave
        self._begun = time.monotonic()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to write; the head of the response is sent already."""
        self._transport = cast("asyncio.Transport", transport)
        self._mailbox.sender = self
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End: the client left, or everything was written."""
        mailbox = self._mailbox
        self._leave()
        cause = mailbox.cause or Cause.CLIENT_LEFT
        self._counts.closed[cause] += 1
        log.info(
            "stream closed",
            request_id=self._request_id,
            job_id=mailbox.job_id,
            cause=cause,
            seconds=round(time.monotonic() - self._begun, 1),
            frames=mailbox.sent,
        )

    def eof_received(self) -> bool:
        """End the stream: a client that closes its side has left, or waits for no more than what there is now."""
        self._mailbox.end(Cause.CLIENT_LEFT)
        return True

    def pause_writing(self) -> None:
        """Write no more: the client does not keep up."""
        self._mailbox.block()

    def resume_writing(self) -> None:
        """Write what came meanwhile."""
        self._mailbox.unblock()
        self.flush()

    def flush(self) -> None:
        """Write what waits, if the client reads."""
        self._is_rung = False
        mailbox = self._mailbox
        if mailbox.is_blocked or mailbox.ended:
            return
        if frames := mailbox.take():
            self._transport.write(frames)
        if mailbox.ended:
            self._transport.write(LAST)
            self._transport.close()

    def ring(self) -> None:
        """Write in a moment."""
        if not self._is_rung:
            self._is_rung = True
            self._outbox.add(self)

    def cut(self) -> None:
        """Drop the connection, whatever waits."""
        self._transport.abort()
