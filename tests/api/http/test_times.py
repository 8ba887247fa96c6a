"""No connection lasts for ever, whatever part of a request came over it, and after however many whole ones."""

import asyncio

import pytest

from api.http.bounds import Bounds
from tests.api.http.client import Client, Server, connected, get, statuses
from tests.api.http.conftest import Serve

BOUNDS = Bounds(head_within=2, kept_for=4, refused_for=1)
LOOK, SLACK = 1, 4  # seconds: between two looks, and what a busy machine adds

REQUEST = b"\r\n" + get("/short", "X-Header: value") + b"\r\n"
WITH_BODY = b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabcdef"
PIPELINED = get("/short") + get("/slow?seconds=0.2") + get("/short")


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    return serve(BOUNDS)


async def ends(server: Server, answered: int, last: bytes) -> float:
    """Have some requests answered, send what comes last, hold still; return how long the connection was kept then."""
    async with connected(server) as client:
        for _ in range(answered):
            assert statuses(await client.ask(get("/short"))) == [200]
        client.writer.write(last)
        return (await client.rest())[1]


async def all_ends(server: Server, answered: int, cuts: list[bytes]) -> list[float]:
    return await asyncio.gather(*(ends(server, answered, cut) for cut in cuts))


@pytest.mark.parametrize("answered", [0, 1, 3])
@pytest.mark.parametrize("request_", [REQUEST, WITH_BODY, PIPELINED], ids=["a request", "a body", "pipelined"])
async def test_every_cut_of_a_request_is_closed_in_time(server: Server, answered: int, request_: bytes) -> None:
    lasted = await all_ends(server, answered, [request_[:cut] for cut in range(len(request_) + 1)])
    assert max(lasted) < BOUNDS.kept_for + LOOK + SLACK


@pytest.mark.parametrize("answered", [0, 1, 3])
@pytest.mark.parametrize("last", [b"\r\n", b"\r\n\r\n", b"\r", b"G", b"GET /short HTTP/1.1\r\n", get("/short")[:-1]])
async def test_a_part_of_a_head_gets_the_time_of_a_head(server: Server, answered: int, last: bytes) -> None:
    lasted = await ends(server, answered, last)
    assert BOUNDS.head_within - 0.5 < lasted < BOUNDS.kept_for


async def test_a_byte_now_and_then_does_not_prolong_it(server: Server) -> None:
    async def drip(client: Client) -> None:
        for byte in b"\r\n\r\n\r\n\r\n" + get("/short"):
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.5)

    async with connected(server) as client:
        await client.ask(get("/short"))
        dripping = asyncio.ensure_future(drip(client))
        lasted = (await client.rest())[1]
        dripping.cancel()
    assert lasted < BOUNDS.head_within + LOOK + SLACK


async def test_who_asks_again_is_kept_and_a_slow_answer_is_waited_for(server: Server) -> None:
    async with connected(server) as client:
        for seconds in (0.1, BOUNDS.kept_for + 2 * LOOK, 0.1):
            assert statuses(await client.ask(get(f"/slow?seconds={seconds}"))) == [200]
            await asyncio.sleep(BOUNDS.kept_for / 2)  # The rule is about time that passes.


async def test_half_a_request_behind_one_that_takes_long_does_not_end_it(server: Server) -> None:
    async with connected(server) as client:
        told = await client.ask(get(f"/slow?seconds={BOUNDS.head_within + 2 * LOOK}") + get("/short")[:-2])
        client.writer.write(b"\r\n")
        assert statuses(told + await client.reader.readuntil(b"short")) == [200, 200]


@pytest.mark.parametrize("path", ["/short", "/slow?seconds=1", "/large?size=3000000", "/health/live"])
async def test_who_closes_its_side_behind_a_request_gets_the_answer(server: Server, path: str) -> None:
    async with connected(server) as client:
        client.writer.write(get("/short") + get(path))
        client.writer.write_eof()
        told, lasted = await client.rest()
    assert statuses(told) == [200, 200]
    assert len(told) > 3_000_000 or "large" not in path
    assert lasted < BOUNDS.kept_for


async def test_who_closes_its_side_in_the_midst_of_a_request_is_closed(server: Server) -> None:
    for cut in range(0, len(REQUEST) - 4, 7):
        async with connected(server) as client:
            client.writer.write(REQUEST[:cut])
            client.writer.write_eof()
            told, lasted = await client.rest()
        assert (told, lasted < BOUNDS.head_within) == (b"", True)


async def test_a_close_that_is_asked_for_is_done(server: Server) -> None:
    async with connected(server) as client:
        client.writer.write(get("/short") + get("/short", "Connection: close") + get("/short"))
        told, lasted = await client.rest()
    assert statuses(told) == [200, 200]
    assert lasted < BOUNDS.head_within
