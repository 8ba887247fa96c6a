"""A connection of HTTP/1.1 as Headway takes it: small requests only, and one that a stream may take over.

Nothing here needs a body, and a head of many megabytes would be put together piece by piece while every
stream waits.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from msgspec import json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.problem import Problem

CONNECTION = "headway.connection"  # the ASGI extension that gives an app its Protocol
LONGEST_HEAD = 32_768  # bytes of request line and headers, as nginx has it
HEAD_WITHIN = 10.0  # seconds until they are there


def _problem(status: int, detail: str) -> Problem:
    return Problem(HTTPStatus(status).phrase, status, detail)


TOO_LONG = _problem(431, f"a request's head has {LONGEST_HEAD} bytes at most")
TOO_LARGE = _problem(413, "nothing here takes a body")
MALFORMED = _problem(400, "this is not HTTP/1.1")


class TooLarge(Exception):
    """A request with a body."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose app may take a connection over, when it has sent the head of a response."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._unfinished = 0  # bytes of a head that is not complete
        self._refusal = MALFORMED
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        self._unfinished += len(data)
        if self._unfinished > LONGEST_HEAD:
            self._refusal = TOO_LONG
            self.send_400_response("")
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        if not self._patience:  # It is not the first on its connection.
            self._patience = self.loop.call_later(HEAD_WITHIN, self.transport.abort)
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """Let the app answer; uvicorn answers whatever is raised here with send_400_response()."""
        self._unfinished = 0
        self._heard()
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            self._refusal = TOO_LARGE
            raise TooLarge
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn knows one reason only
        """Refuse the request, and read no more."""
        body = json.encode(self._refusal)
        head = f"HTTP/1.1 {self._refusal.status} {self._refusal.title}\r\ncontent-type: application/problem+json\r\n"
        head += f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let another protocol finish the response and close the connection, as uvicorn does for WebSockets."""
        if self.cycle.disconnected:  # The client left while the app was at work.
            protocol.connection_lost(None)
            return
        self.cycle.disconnected = True  # whatever the app still sends is not for this connection
        self.connections.discard(self)
        self.flow.resume_reading()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)

    def _heard(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None
