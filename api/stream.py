"""From a mailbox to a client: the protocol of a connection whose response is an open stream.

Once a stream has begun nothing of the request is needed any more: no task, no parser, no ASGI. The
connection is handed to this protocol, as uvicorn hands one to a WebSocket. What rings is written at once,
one chunk (RFC 9112, 7.1) a time. While the transport is full the mailbox keeps the newest.
"""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import structlog

from api.cause import Cause
from api.mailbox import Mailbox
from api.metrics import Counts

log = structlog.get_logger()

LAST_CHUNK = b"0\r\n\r\n"


class Stream(asyncio.Protocol):
    """Writes what comes into a mailbox until it ends or the client leaves; then calls `leave`, once."""

    __slots__ = ("_begun", "_counts", "_is_full", "_leave", "_mailbox", "_request_id", "_transport")

    def __init__(self, mailbox: Mailbox, counts: Counts, request_id: str, leave: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._counts = counts
        self._request_id = request_id
        self._leave = leave
        self._is_full = False
        self._begun = time.monotonic()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to write; the head of the response is sent already."""
        self._transport = cast("asyncio.Transport", transport)
        self._mailbox.cut = self._transport.abort
        self._mailbox.ring = self._flush
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End: the client left, or everything was written."""
        mailbox = self._mailbox
        mailbox.close()
        self._leave()
        cause = mailbox.cause or Cause.CLIENT_LEFT
        self._counts.closed[cause] += 1
        log.info(
            "stream closed",
            request_id=self._request_id,
            job_id=mailbox.job_id,
            cause=cause,
            seconds=round(time.monotonic() - self._begun, 1),
            frames=mailbox.frames,
        )

    def pause_writing(self) -> None:
        """Write no more: the client does not keep up."""
        self._is_full = self._mailbox.is_blocked = True

    def resume_writing(self) -> None:
        """Write what came meanwhile."""
        self._is_full = self._mailbox.is_blocked = False
        self._flush()

    def _flush(self) -> None:
        if self._is_full or self._mailbox.ended:
            return
        if frames := self._mailbox.take():
            self._mailbox.frames += 1
            self._transport.write(b"%x\r\n%b\r\n" % (len(frames), frames))
        if self._mailbox.ended:
            self._transport.write(LAST_CHUNK)
            self._transport.close()
