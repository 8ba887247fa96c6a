"""Clients of a listener that send what no library would."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from workers.demo.engines import Process


class Server(Struct, frozen=True):
    """A process that listens on loopback."""

    process: Process
    port: int


class Client:
    """One connection, and when it ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def rest(self) -> tuple[bytes, float]:
        """Read until the server closes; return what came, and after how many seconds the end."""
        begun, read = time.monotonic(), b""
        try:
            while data := await self.reader.read(2**16):
                read += data
        except ConnectionError:
            pass  # It was cut.
        return read, time.monotonic() - begun

    async def ask(self, request: bytes) -> bytes:
        """Send a request and read one answer with a Content-Length."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        (length,) = re.findall(rb"content-length: (\d+)", head)
        return head + await self.reader.readexactly(int(length))


@asynccontextmanager
async def connected(server: Server, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(host, server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def get(path: str, *lines: str, version: str = "1.1") -> bytes:
    """Return a request."""
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
