"""From a mailbox to a client, without a task of its own and without a task switch per event.

The request's task only waits for the client to leave. A frame is sent by whoever rang: ASGI's `send` is
a coroutine, but with uvicorn it ends without waiting as long as the client reads. So it is stepped once,
there and then. If it would wait, the step is taken back (uvicorn has written nothing by then) and a task
sends the frame instead, for as long as the client is slow; meanwhile the mailbox keeps the newest.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from starlette.types import Receive, Send

from api.mailbox import Mailbox
from api.metrics import Counts

log = structlog.get_logger()

SEND_TIMEOUT = 5.0  # seconds that a client may refuse to read

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Stream:
    """One open response: sends what comes into a mailbox until it ends or the client leaves."""

    __slots__ = ("_counts", "_mailbox", "_send", "_slow", "_spawn")

    def __init__(self, mailbox: Mailbox, send: Send, spawn: Spawn, counts: Counts) -> None:
        """`spawn` starts the task for a slow client and owns it."""
        self._mailbox = mailbox
        self._send = send
        self._spawn = spawn
        self._counts = counts
        self._slow: asyncio.Task[None] | None = None

    async def run(self, receive: Receive, cut: Callable[[], None]) -> None:
        """Send until the end; `cut` closes the connection of a client that does not read, unsent bytes and all."""
        self._mailbox.cut = cut
        self._mailbox.ring = self._flush
        try:
            self._flush()
            while (await receive())["type"] != "http.disconnect":
                pass  # a body that nobody asked for
        finally:
            self._mailbox.ended = True
            if self._slow:
                self._slow.cancel()

    def _flush(self) -> None:
        if self._slow or self._mailbox.ended:
            return
        chunk = self._mailbox.take()
        if (chunk or self._mailbox.ended) and not self._send_now(chunk):
            self._slow = self._spawn(self._send_slowly(chunk))

    def _send_now(self, chunk: bytes) -> bool:
        sending = self._send(self._message(chunk))
        try:
            sending.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            self._counts.frames += 1
            return True
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)
            return True
        sending.close()  # type: ignore[attr-defined]
        return False

    async def _send_slowly(self, chunk: bytes) -> None:
        try:
            while chunk or self._mailbox.ended:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._send(self._message(chunk))
                self._counts.frames += 1
                if self._mailbox.ended:
                    return
                chunk = self._mailbox.take()
        except TimeoutError:
            self._counts.send_timeouts += 1
            log.info("stream cut", reason=f"the client read nothing for {SEND_TIMEOUT:.0f} s")
            self._cut()
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)
        finally:
            self._slow = None

    def _fail(self, error: Exception) -> None:
        """End this stream for an error of its own; others are sent to in the same turn, and must not notice."""
        log.error("stream failed", exc_info=error)
        self._cut()

    def _cut(self) -> None:
        self._mailbox.ended = True
        self._mailbox.cut()

    def _message(self, chunk: bytes) -> dict[str, Any]:
        return {"type": "http.response.body", "body": chunk, "more_body": not self._mailbox.ended}
