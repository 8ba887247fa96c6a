"""Requests over real sockets, to servers and proxies that misbehave."""

import asyncio
import gc
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from streams.table.exchange import Connection, Unanswered
from streams.table.posting import Patience, Posting, proxy_from
from tests.support.tls import tls_in_front_of

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Play = Callable[["Server", Reader, Writer], Awaitable[None]]

PATIENCE = Patience()


class Server:
    """Plays a part on each connection, and remembers what it was asked, over how many connections, and their ends."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.port = 0
        self.asked: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Semaphore(0)
        self.heard = asyncio.Semaphore(0)
        self.ends = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        try:
            await self._play(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ends.release()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self.gone.release()

    async def request(self, reader: Reader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
        self.heard.release()
        self.asked.append(head + await reader.readexactly(sum(lengths)))
        return self.asked[-1]


@asynccontextmanager
async def playing(play: Play) -> AsyncIterator[Server]:
    server = Server(play)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        async with asyncio.timeout(5):
            for _ in range(server.connections):
                await server.gone.acquire()


@asynccontextmanager
async def client_of(
    url: str,
    connections: int = 2,
    trusted: Path | None = None,
    proxy: str | None = None,
    patience: Patience = PATIENCE,
) -> AsyncIterator[Posting]:
    through = proxy_from(proxy) if proxy else None
    client = Posting(url, connections, ssl.create_default_context(cafile=trusted), through, patience)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def asking(
    play: Play, connections: int = 2, patience: Patience = PATIENCE
) -> AsyncIterator[tuple[Posting, Server]]:
    async with (
        playing(play) as server,
        client_of(f"http://127.0.0.1:{server.port}/", connections, patience=patience) as client,
    ):
        yield client, server


def answering(*pieces: bytes) -> Play:
    """Answer every request with these bytes, sent one piece after the other."""

    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        while True:
            await server.request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    return play


def in_turn(*plays: Play) -> Play:
    """Play one part on the first connection, the next on the second, and so on."""

    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        await plays[server.connections - 1](server, reader, writer)

    return play


async def test_a_request_is_sent_as_it_is_and_its_connection_is_kept() -> None:
    async with asking(answering(FINE)) as (client, server):
        for body in (b"one", b"two"):
            assert await client.post("Host: here\r\n", body) == (200, b"{}")
    head = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\n"
    assert (server.asked, server.connections) == ([head + b"one", head + b"two"], 1)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([FINE[:20], FINE[20:40], FINE[40:]], (200, b"{}")),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n1", b"\r\n}\r\n0\r\n\r\n"],
            (200, b"{}"),
        ),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], (200, b"")),
        ([b"HTTP/1.1 503 Slow Down\r\ncontent-length: 4\r\n\r\nwait"], (503, b"wait")),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", FINE], (200, b"{}")),
    ],
)
async def test_an_answer_is_whole_however_it_comes_and_another_follows_on_its_connection(
    pieces: list[bytes], answer: tuple[int, bytes]
) -> None:
    async with asking(answering(*pieces)) as (client, server):
        assert [await client.post("", b""), await client.post("", b"")] == [answer, answer]
    assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n{}")

    async with asking(play) as (client, server):
        assert [await client.post("", b""), await client.post("", b"")] == [(200, b"{}")] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "ending",
    [
        FINE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        FINE.replace(b"1.1", b"1.0"),
        FINE + FINE,  # one too many, which is nobody's
        FINE + b"HTTP/1.1 408 ",
    ],
)
async def test_a_connection_that_is_not_to_be_used_again_is_closed(ending: bytes) -> None:
    async with asking(in_turn(answering(ending), answering(FINE))) as (client, server):
        assert await client.post("", b"") == (200, b"{}")
        async with asyncio.timeout(5):
            await server.ends.acquire()
        assert await client.post("", b"") == (200, b"{}")
        assert server.connections == 2


async def test_what_comes_unasked_is_not_the_next_answer() -> None:
    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE)
        await server.go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        await reader.read()

    async with asking(in_turn(play, answering(FINE))) as (client, server):
        assert await client.post("", b"") == (200, b"{}")
        server.go_on.set()
        async with asyncio.timeout(5):
            await server.ends.acquire()
        assert await client.post("", b"") == (200, b"{}")


async def test_a_connection_that_was_closed_while_idle_is_no_error() -> None:
    async def once(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE)

    async with asking(once) as (client, server):
        for number in range(1, 4):
            assert await client.post("", b"") == (200, b"{}")
            assert server.connections == number
            await server.ends.acquire()


async def test_a_connection_that_is_closed_just_as_it_is_asked_is_no_error_once() -> None:
    async def twice(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE)
        await server.request(reader)

    async def never(server: Server, reader: Reader, _: Writer) -> None:
        await server.request(reader)

    async with asking(in_turn(twice, twice, never)) as (client, server):
        assert await client.post("", b"1") == (200, b"{}")
        assert await client.post("", b"2") == (200, b"{}")
        assert server.connections == 2
        with pytest.raises(ConnectionError, match="before an answer"):
            await client.post("", b"3")
        assert (len(server.asked), server.connections) == (5, 3)


async def test_a_connection_that_ends_before_it_is_used_says_so_at_once() -> None:
    async def closing(_: Server, __: Reader, writer: Writer) -> None:
        writer.transport.abort()

    ended = asyncio.Event()
    async with playing(closing) as server, asyncio.timeout(4):
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(8.0, lambda _: None, lambda _: ended.set()), "127.0.0.1", server.port
        )
        await ended.wait()
        with pytest.raises(Unanswered):
            await connection.ask(b"")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 200 OK\r\nConte"])
async def test_what_was_answered_in_part_is_an_error_and_not_asked_again(answer: bytes) -> None:
    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE)
        await server.request(reader)
        writer.write(answer)

    async with asking(play) as (client, server):
        await client.post("", b"")
        with pytest.raises(ConnectionError, match="within an answer"):
            await client.post("", b"")
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [b"220 smtp.example ESMTP\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"],
)
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    async with asking(answering(answer)) as (client, server):
        with pytest.raises(ConnectionError, match="no answer"):
            await client.post("", b"")
        async with asyncio.timeout(5):
            await server.ends.acquire()


async def silent(server: Server, reader: Reader, _: Writer) -> None:
    await server.request(reader)
    await reader.read()


async def test_a_call_that_is_cancelled_closes_its_connection_and_leaves_its_place_in_line() -> None:
    async with asking(in_turn(silent, answering(FINE)), 1) as (client, server):
        call = asyncio.ensure_future(client.post("", b""))
        await server.heard.acquire()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            await server.ends.acquire()
        assert await client.post("", b"") == (200, b"{}")


async def test_a_call_that_is_cancelled_as_its_answer_comes_closes_its_connection_too() -> None:
    async with playing(silent) as server:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(PATIENCE.read, id, id), "127.0.0.1", server.port
        )
        call = asyncio.ensure_future(connection.ask(b"POST / HTTP/1.1\r\n\r\n"))
        await server.heard.acquire()
        connection.data_received(FINE)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            await server.ends.acquire()


async def test_a_client_that_is_closed_makes_no_connection_for_a_call_under_way() -> None:

    async def then_silent(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE)
        await silent(server, reader, writer)

    async with asking(then_silent) as (client, server):
        await client.post("", b"")
        call = asyncio.ensure_future(client.post("", b""))
        for _ in range(2):
            await server.heard.acquire()
        await client.close()
        with pytest.raises(OSError, match="closed meanwhile"):
            await call
        assert server.connections == 1


async def test_an_idle_connection_keeps_nothing_of_its_last_answer() -> None:
    size = 5_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    async with asking(answering(answer)) as (client, _):
        await client.post("", b"")
        gc.collect()
        kept = [thing for thing in gc.get_objects() if isinstance(thing, Connection)]
        assert [len(b"".join(connection._pieces)) for connection in kept] == [0]  # noqa: SLF001 - nothing else shows it


def test_a_proxy_that_speaks_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not socks5h"):
        proxy_from("socks5h://proxy.example")


async def test_a_server_that_says_nothing_more_is_given_up() -> None:

    async def halting(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(FINE[:-1])
        await reader.read()

    for play in (silent, halting):
        async with asking(play, patience=Patience(read=0.05)) as (client, server):
            with pytest.raises(TimeoutError):
                await client.post("", b"")
            async with asyncio.timeout(5):
                await server.ends.acquire()


async def test_only_so_many_are_asked_at_once_and_waiting_in_line_has_an_end() -> None:

    async def play(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        await server.go_on.wait()
        writer.write(FINE)
        await answering(FINE)(server, reader, writer)

    async with asking(play, 2, Patience(begin=0.05)) as (client, server):
        calls = [asyncio.ensure_future(client.post("", b"")) for _ in range(2)]
        for _ in calls:
            await server.heard.acquire()
        with pytest.raises(TimeoutError):
            await client.post("", b"")
        server.go_on.set()
        await asyncio.gather(*calls)
        await asyncio.gather(*(client.post("", b"") for _ in range(8)))
        assert server.connections == 2


async def test_connections_that_are_not_needed_are_closed() -> None:
    async with asking(answering(FINE), 3, Patience(idle=0.05)) as (client, server):
        for _ in range(2):
            await asyncio.gather(*(client.post("", b"") for _ in range(3)))
            async with asyncio.timeout(5):
                for _ in range(3):
                    await server.ends.acquire()
        assert server.connections == 6


async def test_nobody_listening_is_an_error_and_so_is_a_name_that_nobody_has() -> None:
    async with playing(silent) as server:
        pass
    for host in ("127.0.0.1", "no-such-host.invalid"):
        async with client_of(f"http://{host}:{server.port}/") as client:
            with pytest.raises(OSError, match=r"\w"):
                await client.post("", b"")


async def test_a_name_is_reached_at_whichever_of_its_addresses_listens() -> None:
    """localhost is ::1 first on most machines, and this server listens on 127.0.0.1 only."""
    async with playing(answering(FINE)) as server, client_of(f"http://localhost:{server.port}/") as client:
        assert await client.post("", b"") == (200, b"{}")


async def test_a_server_is_believed_by_its_certificate_only(tmp_path: Path) -> None:
    async with playing(answering(FINE)) as server, tls_in_front_of(server.port, tmp_path) as (port, certificate):
        async with client_of(f"https://127.0.0.1:{port}/", trusted=certificate) as client:
            assert await client.post("", b"") == (200, b"{}")
            assert await client.post("", b"") == (200, b"{}")
        async with client_of(f"https://127.0.0.1:{port}/") as client:
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.post("", b"")
        async with client_of(f"https://localhost:{port}/", trusted=certificate) as client:
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.post("", b"")


async def test_a_proxy_is_asked_for_the_whole_address() -> None:
    async with playing(answering(FINE)) as proxy:
        for address in (f"http://me:pass%40word@127.0.0.1:{proxy.port}", f"127.0.0.1:{proxy.port}"):
            async with client_of("http://dynamodb.example:8000/", proxy=address) as client:
                assert await client.post("", b"") == (200, b"{}")
    known = b"Proxy-Authorization: Basic bWU6cGFzc0B3b3Jk\r\n"
    start = b"POST http://dynamodb.example:8000/ HTTP/1.1\r\n"
    assert proxy.asked == [start + known + b"Content-Length: 0\r\n\r\n", start + b"Content-Length: 0\r\n\r\n"]


async def test_a_proxy_goes_through_to_a_server_of_tls(tmp_path: Path) -> None:
    async def through(proxy: Server, reader: Reader, writer: Writer) -> None:
        asked = await proxy.request(reader)
        port = int(asked.split()[1].rpartition(b":")[2])
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))

    async with (
        playing(answering(FINE)) as server,
        tls_in_front_of(server.port, tmp_path) as (port, certificate),
        playing(through) as proxy,
        client_of(f"https://127.0.0.1:{port}/", 1, certificate, f"http://me:pw@127.0.0.1:{proxy.port}") as client,
    ):
        for _ in range(2):
            assert await client.post("", b"") == (200, b"{}")
    start = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    assert proxy.asked == [f"{start}Proxy-Authorization: Basic bWU6cHc=\r\n\r\n".encode()]
    assert server.connections == 1
    assert b"Proxy" not in b"".join(server.asked)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", b"what?\r\n\r\n", b""])
async def test_a_proxy_that_does_not_go_through_is_an_error(answer: bytes) -> None:
    async def refusing(server: Server, reader: Reader, writer: Writer) -> None:
        await server.request(reader)
        writer.write(answer)

    async with playing(refusing) as proxy, client_of("https://x.example/", proxy=f"127.0.0.1:{proxy.port}") as client:
        with pytest.raises(ConnectionError, match="proxy"):
            await client.post("", b"")


async def pump(reader: Reader, writer: Writer) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    writer.close()
