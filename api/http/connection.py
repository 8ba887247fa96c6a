"""A connection of HTTP/1.1: small requests only, one at a time, and one that a stream may take over.

uvicorn parses and answers; this class decides what its parser is given. It gets a request only when the answer to the
one in front is complete: so uvicorn's newest request is always the one that is being answered, and what a client
pipelines waits as bytes. Nothing here needs a body.

One time limit holds at any moment, but while a request is answered: for the head of a request, from its first byte on, or
for the next request, from the end of an answer on. Nothing but a whole head lifts it.
"""

import asyncio
from http import HTTPStatus
from math import inf
from typing import Any

from msgspec import json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.heads import Heads
from api.http.listener import Listener
from api.http.problem import Problem

CONNECTION = "headway.connection"  # the ASGI extension that gives an app its Protocol
LONGEST_HEAD = 32_768  # bytes of request line and headers, as nginx has it


def _problem(status: int, detail: str) -> Problem:
    return Problem(HTTPStatus(status).phrase, status, detail)


TOO_LONG = _problem(431, f"a request's head has {LONGEST_HEAD} bytes at most")
TOO_LARGE = _problem(413, "nothing here takes a body")
MALFORMED = _problem(400, "this is not HTTP/1.1")


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose app may take a connection over, when it has sent the head of a response."""

    def __init__(self, *arguments: Any, listener: Listener, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._listener = listener
        self._bounds = listener.bounds
        self._heads = Heads()
        self._has_refused = False
        self._has_eof = False  # of what the client sends
        self._is_idle = False  # nothing came since the last answer
        self._since = 0.0  # what is waited for, by the loop's clock
        self._patience = inf  # seconds that it is waited for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._listener.enter(self)
        self._wait(self._bounds.head_within)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        self._listener.leave(self)
        super().connection_lost(exc)

    def look(self, now: float) -> None:
        """End the connection where its time is over; called each second."""
        if now - self._since > self._patience:
            self.transport.abort()

    @property
    def is_answering(self) -> bool:
        """Whether a request is complete and its response is not."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, or of several."""
        if self._has_refused:
            return
        if self._is_idle:
            self._is_idle = False
            self._wait(self._bounds.head_within)
        self._heads.add(data)
        self._parse()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio heeds it
        """Keep the connection while there is something to answer: a client may close its side behind a whole request."""
        self._has_eof = True
        return self.is_answering

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """Let the app answer."""
        self._wait(inf)
        if _has_body(self.headers):
            self._refuse(TOO_LARGE)
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; of one that was refused uvicorn knows nothing."""
        if not self._has_refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what the client pipelined, or wait for the next request."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own timer, which any byte lifts for good
        self._parse()
        if not self.is_answering:
            self._rest()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn knows one reason only
        """Refuse what the parser cannot read."""
        self._refuse(MALFORMED)

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let another protocol finish the response and close the connection, as uvicorn does for WebSockets.

        What the client pipelined behind this request is not answered: the connection ends with the response.
        """
        if self.cycle.disconnected:  # The client left while the app was at work.
            protocol.connection_lost(None)
            return
        self.cycle.disconnected = True  # whatever the app still sends is not for this connection
        self.connections.discard(self)
        self._listener.leave(self)
        self.flow.resume_reading()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self._has_eof:
            protocol.eof_received()

    def _parse(self) -> None:
        """Give the parser one head after the other until there is one to answer, and read no more while that takes."""
        while self._heads and not (self.is_answering or self.transport.is_closing()):
            self._feed()
        if self._heads:
            self.flow.pause_reading()

    def _feed(self) -> None:
        room = LONGEST_HEAD - self._heads.size
        piece = self._heads.take()
        super().data_received(piece[:room])
        if len(piece) > room:
            self._refuse(TOO_LONG)

    def _refuse(self, problem: Problem) -> None:
        """Answer below the app, and take no more."""
        if self._has_refused:
            return
        self._has_refused = True
        self._heads.clear()
        body = json.encode(problem)
        head = f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: application/problem+json\r\n"
        head += f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.write_eof()  # Closed now, what the client still sends could cost it the answer.
        self.flow.resume_reading()
        self._wait(self._bounds.refused_for)

    def _rest(self) -> None:
        if self._has_eof and not self._has_refused:
            self.transport.close()
        elif not self._has_refused:
            self._is_idle = not self._heads.size
            self._wait(self._bounds.kept_for if self._is_idle else self._bounds.head_within)

    def _wait(self, seconds: float) -> None:
        self._since = self.loop.time()
        self._patience = seconds


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
