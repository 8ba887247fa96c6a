"""HTTP/1.1 as the calls of DynamoDB need it: POSTs to one address, over a few connections that are kept.

A client for all of HTTP runs several times as much code for a call, most of it for what none of these has
(docs/adr, 10). All errors are OSErrors: another try may succeed.
"""

import asyncio
import ssl
from base64 import b64encode
from socket import SOCK_STREAM
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct

from streams.table.exchange import Answer, Connection, Tunnel, Unanswered
from streams.table.signature import PORTS

AS_IT_IS = "/%:=&~+!$,;'@()*[]"  # characters of a path


class Patience(Struct, frozen=True):
    """Seconds to wait."""

    begin: float = 10.0  # in line, and again for the name's addresses and a connection to one of them
    connect: float = 2.0  # for a connection to one address, with a proxy's consent and TLS
    read: float = 8.0  # from one piece of an answer to the next
    idle: float = 30.0  # until a connection that nobody needs is closed


class Posting:
    """Posts to one address, so many requests at once; the others wait in line. For one event loop."""

    def __init__(
        self,
        url: str,
        connections: int,
        trusted: ssl.SSLContext,
        proxy: SplitResult | None = None,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
    ) -> None:
        self._url = urlsplit(url)
        self._patience = patience
        self._trusted = trusted
        self._proxy = proxy
        self._start = self._first_lines()
        self._places = asyncio.Semaphore(connections)
        self._is_closed = False
        self._open: set[Connection] = set()
        self._idle: dict[Connection, float] = {}  # since when; the newest last
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(self, headers: str, body: bytes) -> Answer:
        """Return the answer to a request with these lines of headers."""
        request = f"{self._start}{headers}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        await self._stand_in_line()
        try:
            if connection := self._kept():
                try:
                    return await self._ask(connection, request)
                except Unanswered:
                    pass  # The server closed it just then, as it may close what is idle.
            return await self._ask(await self._connect(), request)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close all connections, and make no more."""
        self._is_closed = True
        if self._sweeping:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # Transports let go of their sockets in the next round.

    async def _stand_in_line(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        async with asyncio.timeout(self._patience.begin):
            await self._places.acquire()

    def _kept(self) -> Connection | None:
        """Take the connection that was used last; those that are not needed grow old."""
        self._drop_old()
        return self._idle.popitem()[0] if self._idle else None

    async def _ask(self, connection: Connection, request: bytes) -> Answer:
        answer = await connection.ask(request)
        if connection.is_reusable:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.time()
            self._sweeping = self._sweeping or loop.call_later(self._patience.idle, self._sweep)
        return answer

    def _sweep(self) -> None:
        self._drop_old()
        self._sweeping = None
        if self._idle:
            oldest = next(iter(self._idle.values()))
            self._sweeping = asyncio.get_running_loop().call_at(oldest + self._patience.idle, self._sweep)

    def _drop_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            oldest, since = next(iter(self._idle.items()))
            if now - since < self._patience.idle:
                return
            del self._idle[oldest]
            oldest.abort()

    async def _connect(self) -> Connection:
        """Connect to the first of the name's addresses that lets us."""
        if self._is_closed:
            raise OSError("closed meanwhile")
        host, port = _place(self._proxy or self._url)
        async with asyncio.timeout(self._patience.begin):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
            failure = OSError(f"{host} has no address")
            for address in dict.fromkeys(where[0] for *_, where in found):
                try:
                    async with asyncio.timeout(self._patience.connect):
                        return await self._connect_to(str(address), port)
                except OSError as error:
                    failure = error
            raise failure

    async def _connect_to(self, address: str, port: int) -> Connection:
        loop = asyncio.get_running_loop()
        first = self._proxy or self._url
        secure: dict[str, Any] = {}
        if first.scheme == "https":
            secure = {"ssl": self._trusted, "server_hostname": first.hostname}
        if not (self._proxy and self._url.scheme == "https"):
            _, connection = await loop.create_connection(self._connection, address, port, **secure)
            return connection
        transport, tunnel = await loop.create_connection(Tunnel, address, port, **secure)
        try:
            await tunnel.open(_shown(self._url), _credentials(self._proxy))
            connection = self._connection()
            inner = await loop.start_tls(transport, connection, self._trusted, server_hostname=self._url.hostname)
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(inner or transport)
        return connection

    def _connection(self) -> Connection:
        return Connection(self._patience.read, self._open.add, self._lost)

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def _first_lines(self) -> str:
        path = quote(self._url.path, safe=AS_IT_IS)
        if self._proxy and self._url.scheme == "http":
            return f"POST http://{_shown(self._url)}{path} HTTP/1.1\r\n{_credentials(self._proxy)}"
        return f"POST {path} HTTP/1.1\r\n"


def proxy_from(text: str) -> SplitResult:
    """Read a proxy's address; raises ValueError for a scheme that is not known."""
    proxy = urlsplit(text if "://" in text else f"http://{text}")
    if proxy.scheme not in PORTS:
        raise ValueError(f"a proxy speaks http or https, not {proxy.scheme}")
    return proxy


def _place(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or PORTS[url.scheme]


def _shown(url: SplitResult) -> str:
    host, port = _place(url)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _credentials(proxy: SplitResult) -> str:
    """The line of headers that a proxy knows its users by, where its address names one."""
    if proxy.username is None:
        return ""
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}\r\n"
