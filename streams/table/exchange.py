"""One connection of HTTP/1.1 and what is asked on it, one request after the other; and the way through a proxy."""

import asyncio
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

OK, FINAL = 200, 200  # what a proxy that consents says; the first status that is not an interim one
LENGTHS = {b"content-length", b"transfer-encoding"}

Answer = tuple[int, bytes]  # status and body


class Unanswered(ConnectionError):
    """The connection ended before anything of an answer came."""


class Connection(asyncio.Protocol):
    """Asks one thing after the other; whoever stops waiting closes it. All errors are OSErrors.

    Nothing may come for `patience` seconds while an answer is waited for; `made` and `lost` are called when the connection
    is there, and when it is not any more.
    """

    def __init__(
        self, patience: float, made: Callable[["Connection"], object], lost: Callable[["Connection"], object]
    ) -> None:
        self.is_reusable = False
        self._made = made
        self._patience = patience
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._pieces: list[bytes] = []
        self._is_heard = self._is_begun = self._has_length = self._is_lost = False

    async def ask(self, request: bytes) -> Answer:
        """Return the answer to a whole request."""
        if self._is_lost:
            raise Unanswered("the connection ended before it was used")
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self.is_reusable = self._is_heard = False
        self._timer = self._loop.call_later(self._patience, self._give_up)
        self._transport.write(request)
        try:
            return await answer
        except asyncio.CancelledError:
            self.is_reusable = False  # though the answer may be here: nobody takes the connection back
            raise
        finally:
            self._timer.cancel()
            self._answer = None
            if not self.is_reusable:
                self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.is_reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait to be asked."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._is_lost:  # as it may be behind a proxy, where TLS is begun by hand
            self._made(self)

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        if not self._is_waiting:
            self.abort()  # Nobody asked: a farewell, or an answer too many, which is not the next one's.
            return
        self._is_heard = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(ConnectionError(f"this is no answer of HTTP/1.1: {error}"))
        if self._is_waiting:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._patience, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way; an answer that names no length ends here."""
        self.is_reusable, self._is_lost = False, True
        self._lost(self)
        if exc is None and self._is_begun and not self._has_length:
            self._finish()
        elif self._is_heard:
            self._fail(ConnectionError(f"the connection ended within an answer: {exc or 'closed'}"))
        else:
            self._fail(Unanswered(f"the connection ended before an answer: {exc or 'closed'}"))

    def on_message_begin(self) -> None:
        """Begin an answer."""
        if not self._is_waiting:
            self.is_reusable = False  # This one is too many.
        self._pieces = []
        self._is_begun = self._has_length = False

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 - the parser reads them
        """Look for what says where the answer ends."""
        if name.lower() in LENGTHS:
            self._has_length = True

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._is_begun = self._parser.get_status_code() >= FINAL

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Hand over an answer that is not an interim one."""
        if self._is_begun and self._is_waiting:
            self.is_reusable = self._parser.should_keep_alive()
            self._finish()

    @property
    def _is_waiting(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _finish(self) -> None:
        pieces, self._pieces = self._pieces, []  # a megabyte, perhaps, which nobody needs any more
        if self._answer and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(pieces)))
        self._is_begun = False

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)

    def _give_up(self) -> None:
        self._fail(TimeoutError(f"nothing came for {self._patience:.0f} s"))


class Tunnel(asyncio.Protocol):
    """Asks a proxy to go through to another address, and waits until it says that it does."""

    def __init__(self) -> None:
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport

    async def open(self, address: str, credentials: str) -> None:
        """Ask, with the line of headers that a proxy may want; raises OSError where it refuses."""
        self._transport.write(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{credentials}\r\n".encode("latin-1"))
        await self._opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait to be asked."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read the proxy's answer; it has no body where it consents, whatever its headers say."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._refuse(f"the proxy does not speak HTTP/1.1: {error}")

    def on_headers_complete(self) -> None:
        """Read the status."""
        status = self._parser.get_status_code()
        if status >= FINAL and status != OK:
            self._refuse(f"the proxy answers {status}")
        elif status == OK and not self._opened.done():
            self._opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        self._refuse(f"the proxy closed the connection: {exc or 'without a word'}")

    def _refuse(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectionError(reason))
