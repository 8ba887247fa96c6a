"""`python -m bench.items PORT`: a table that only keeps items, and answers as fast as Python on uvloop can.

The tests' engines answer some 300 reads a second. Where a measurement would be theirs, the process that is
measured reads from this one instead; each report that does says so.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

import uvloop
from msgspec import Raw, Struct, json

from workers.demo.engines import Process

T = TypeVar("T")

TARGET = b"x-amz-target:"
LENGTH = b"content-length:"
HEAD = "HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n"


class One(Struct, rename="pascal"):
    """GetItem and PutItem."""

    key: dict[str, dict[str, str]] = {}
    item: Raw = Raw(b"{}")


class Reads(Struct, rename="pascal"):
    """BatchGetItem, of one table."""

    keys: list[dict[str, dict[str, str]]]


class Write(Struct, rename="pascal"):
    """A part of BatchWriteItem; only puts are known."""

    put_request: One


class Batch(Struct, Generic[T], rename="pascal"):
    """BatchGetItem or BatchWriteItem: what is asked of each table."""

    request_items: dict[str, T]


class Identified(Struct):
    """An item's key; the table has no other."""

    job_id: dict[str, str]


class Items:
    """The items by key, as the JSON that they came in."""

    def __init__(self) -> None:
        self._by_key: dict[str, bytes] = {}

    def answer(self, operation: str, body: bytes) -> tuple[str, bytes]:
        """Return the status and the body of an answer; an operation that is not known is refused."""
        if known := getattr(self, f"_{operation}", None):
            content: bytes = known(body)
            return "200 OK", content
        return "400 Bad Request", b'{"__type": "UnknownOperationException"}'

    def _getitem(self, body: bytes) -> bytes:
        found = self._found(json.decode(body, type=One).key)
        return b'{"Item": %s}' % found if found else b"{}"

    def _putitem(self, body: bytes) -> bytes:
        self._put(json.decode(body, type=One).item)
        return b"{}"

    def _batchgetitem(self, body: bytes) -> bytes:
        asked = json.decode(body, type=Batch[Reads]).request_items
        found = {
            table: [Raw(item) for key in reads.keys if (item := self._found(key))] for table, reads in asked.items()
        }
        return json.encode({"Responses": found, "UnprocessedKeys": {}})

    def _batchwriteitem(self, body: bytes) -> bytes:
        for writes in json.decode(body, type=Batch[list[Write]]).request_items.values():
            for write in writes:
                self._put(write.put_request.item)
        return b'{"UnprocessedItems": {}}'

    def _found(self, key: dict[str, dict[str, str]]) -> bytes | None:
        return self._by_key.get(key["job_id"]["S"])

    def _put(self, item: Raw) -> None:
        self._by_key[json.decode(item, type=Identified).job_id["S"]] = bytes(item)


class Connection(asyncio.Protocol):
    """A client's connection: requests come one after the other."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._unread = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for requests."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            whole = end + 4 + int(_value(head, LENGTH))
            if len(self._unread) < whole:
                return
            body, self._unread = self._unread[end + 4 : whole], self._unread[whole:]
            self._answer(_value(head, TARGET).decode().rpartition(".")[2], body)

    def _answer(self, operation: str, body: bytes) -> None:
        status, content = self._items.answer(operation, body)
        self._transport.write(HEAD.format(status=status, length=len(content)).encode() + content)


def _value(head: bytes, name: bytes) -> bytes:
    return head[head.index(name) + len(name) :].partition(b"\r\n")[0].strip()


async def serve(port: int) -> None:
    """Serve until stopped."""
    items = Items()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(items), "127.0.0.1", port)
    await server.serve_forever()


def start(port: int, directory: Path) -> Process:
    """Start it as a process."""
    process = Process("items", [sys.executable, "-m", "bench.items", str(port)], directory / "items.log")
    process.until_listening(port)
    return process


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
