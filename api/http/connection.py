"""A connection of HTTP/1.1: small requests only, one at a time, and one that a stream may take over.

uvicorn parses and answers; this class decides what its parser is given. It gets a request only when the answer to the
one in front is complete: so uvicorn's newest request is always the one that is being answered, and what a client
pipelines waits as bytes. Nothing here needs a body.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from msgspec import json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.heads import Heads
from api.http.problem import Problem

CONNECTION = "headway.connection"  # the ASGI extension that gives an app its Protocol
LONGEST_HEAD = 32_768  # bytes of request line and headers, as nginx has it
HEAD_WITHIN = 10.0  # seconds until they are there


def _problem(status: int, detail: str) -> Problem:
    return Problem(HTTPStatus(status).phrase, status, detail)


TOO_LONG = _problem(431, f"a request's head has {LONGEST_HEAD} bytes at most")
TOO_LARGE = _problem(413, "nothing here takes a body")
MALFORMED = _problem(400, "this is not HTTP/1.1")


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose app may take a connection over, when it has sent the head of a response."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._heads = Heads()
        self._has_refused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        super().connection_lost(exc)

    @property
    def is_answering(self) -> bool:
        """Whether a request is complete and its response is not."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, or of several."""
        if not self._has_refused:
            self._heads.add(data)
            self._parse()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        if not self._patience:  # It is not the first on its connection.
            self._patience = self.loop.call_later(HEAD_WITHIN, self.transport.abort)
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """Let the app answer."""
        self._heard()
        if _has_body(self.headers):
            self._refuse(TOO_LARGE)
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; of one that was refused uvicorn knows nothing."""
        if not self._has_refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what the client pipelined."""
        super().on_response_complete()
        self._parse()

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
        self.flow.resume_reading()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)

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
        self.transport.close()

    def _heard(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
