"""The watchers: thousands of SSE streams in a process of its own, as cheap as Python makes them.

They read bytes, not events: a stream is open when its first bytes say 200, and an event is a time of
sending (STAMP) in its data. What the server costs is then not hidden behind what its clients cost.
"""

import asyncio
import resource
import socket
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from msgspec import Struct

STAMP = b'"prompt":"@'  # then DIGITS of time.monotonic_ns(), which all processes of a machine share
DIGITS = 19
LOOK_EVERY = 0.002  # seconds
AT_ONCE = 64  # streams being opened; fewer than any server's backlog
OPEN_WITHIN = 300.0
PER_ADDRESS = 4000  # streams from one loopback address; Linux has 28,000 ports for each
BIND_ADDRESS_NO_PORT = 24  # of Linux: the port is chosen when connecting, per destination


class Heard(Struct, frozen=True):
    """What came since it was last asked: events, the time of the last (monotonic ns), and their latencies in ns."""

    events: int
    last: int
    latencies: "array[int]"


class Tally:
    """All events of all streams."""

    def __init__(self) -> None:
        self.latencies = array("q")
        self.last = 0

    def take(self, data: bytes) -> None:
        """Note every event in what one stream read."""
        at = data.find(STAMP)
        while at >= 0:
            start = at + len(STAMP)
            self.last = time.monotonic_ns()
            self.latencies.append(self.last - int(data[start : start + DIGITS]))
            at = data.find(STAMP, start)

    def tell(self) -> Heard:
        """Return what was noted and begin anew."""
        heard, self.latencies = Heard(len(self.latencies), self.last, self.latencies), array("q")
        return heard


class Stream(asyncio.Protocol):
    """One watcher."""

    __slots__ = ("closed", "open", "request", "tally", "transport")

    def __init__(self, request: bytes, tally: Tally, opened: "asyncio.Future[None]") -> None:
        self.request = request
        self.tally = tally
        self.open: asyncio.Future[None] | None = opened
        self.closed: asyncio.Future[None] | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = transport
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Be open, or count."""
        if self.open is None:
            self.tally.take(data)
        elif not self.open.done():
            self._take_head(data)

    def _take_head(self, data: bytes) -> None:
        assert self.open  # noqa: S101 - that is what a head is for
        if data.startswith(b"HTTP/1.1 200"):
            self.open.set_result(None)
            self.open = None
        else:
            self.open.set_exception(ConnectionError(data[:200].decode(errors="replace")))

    def connection_lost(self, _: Exception | None) -> None:
        """Be closed."""
        if self.open and not self.open.done():
            self.open.set_exception(ConnectionError("closed before it was open"))
        if self.closed:
            self.closed.set_result(None)

    async def close(self) -> None:
        """Leave, and wait until that is done."""
        if not self.transport.is_closing():
            self.closed = asyncio.get_running_loop().create_future()
            self.transport.close()
            await self.closed


class Watchers:
    """The streams of one load process, on one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: list[Stream] = []
        self._tally = Tally()
        self._opened = 0

    async def open(self, requests: Sequence[bytes]) -> float:
        """Open a stream per request; return the seconds that it took."""
        started = time.monotonic()
        waiting = iter(requests)
        async with asyncio.timeout(OPEN_WITHIN), asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._open_each(waiting))
        return time.monotonic() - started

    async def _open_each(self, waiting: Any) -> None:
        for request in waiting:
            self._opened += 1
            sock = _source(f"127.0.0.{2 + self._opened // PER_ADDRESS % 200}")
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", self._port))
            stream = Stream(request, self._tally, loop.create_future())
            self._streams.append(stream)
            opened = stream.open
            await loop.create_connection(partial(_same, stream), sock=sock)
            if opened:
                await opened

    async def hear(self, _: None) -> Heard:
        """Tell what was heard since the last time."""
        return self._tally.tell()

    async def count(self, _: None) -> int:
        """Return how many events were heard since hear()."""
        return len(self._tally.latencies)

    async def keep(self, number: int) -> int:
        """Close the streams that were opened last, all but a number; return how many are left."""
        leaving, self._streams = self._streams[number:], self._streams[:number]
        await asyncio.gather(*(stream.close() for stream in leaving))
        return len(self._streams)


def _source(address: str) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
    sock.bind((address, 0))
    return sock


class Load:
    """A load process, from outside: each call is answered by the method of Watchers that has its name."""

    def __init__(self, port: int) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, port), daemon=True)
        self._process.start()

    async def open(self, requests: Sequence[bytes]) -> float:
        """See Watchers.open()."""
        return float(await self._ask("open", requests))

    async def hear(self) -> Heard:
        """See Watchers.hear()."""
        heard: Heard = await self._ask("hear", None)
        return heard

    async def count(self) -> int:
        """See Watchers.count()."""
        return int(await self._ask("count", None))

    async def keep(self, number: int) -> int:
        """See Watchers.keep()."""
        return int(await self._ask("keep", number))

    def stop(self) -> None:
        """End the process; its streams end with it."""
        self._process.terminate()
        self._process.join(5)

    async def _ask(self, name: str, argument: Any) -> Any:
        self._pipe.send((name, argument))
        answer = await asyncio.to_thread(self._pipe.recv)
        if isinstance(answer, Exception):
            raise answer
        return answer


def allow_many_files() -> None:
    """Let this process and its children have as many sockets as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run(pipe: Connection, port: int) -> None:
    allow_many_files()
    uvloop.run(_serve(pipe, port))


async def _serve(pipe: Connection, port: int) -> None:
    watchers = Watchers(port)
    _look_now_and_then()
    while True:
        name, argument = await asyncio.to_thread(pipe.recv)
        method: Callable[[Any], Awaitable[Any]] = getattr(watchers, name)
        try:
            pipe.send(await method(argument))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            pipe.send(ConnectionError(repr(error)))


def _look_now_and_then() -> None:
    """Let the loop look at its sockets every LOOK_EVERY seconds only.

    A reader that sleeps in epoll is woken by whoever writes, and on loopback the server would pay for that.
    """
    time.sleep(LOOK_EVERY)
    asyncio.get_running_loop().call_soon(_look_now_and_then)


def _same(stream: Stream) -> Stream:
    return stream
