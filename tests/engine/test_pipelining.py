"""Requests that are sent before the answer to the one in front is there (RFC 9112, 9.3.2), with and without a stream."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from tests.engine.test_limits import head
from tests.engine.test_streams import put
from tests.support.stack import Api, Stack

END = b"\r\n\r\n"
SOON = 20.0  # seconds


async def connect(api: Api) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(api.url).port)


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


@pytest.mark.parametrize("path", ["/api/v1/jobs/{}/events", "/api/v1/jobs/events"])
@pytest.mark.parametrize("is_behind_later", [False, True], ids=["in one piece", "while the stream is open"])
async def test_a_request_behind_that_of_a_stream_does_not_end_the_stream(
    stack: Stack, user: str, path: str, is_behind_later: bool
) -> None:
    api = stack.start_api(HEADWAY_LOG_LEVEL="info", HEADWAY_LOG_FORMAT="json")
    stack.start_relay()
    await put(stack, "job", user, 1)
    reader, writer = await connect(api)
    stream, behind = head(user, path=path.format("job")) + END, head(user) + END
    async with asyncio.timeout(SOON):
        writer.write(stream if is_behind_later else stream + behind)
        told = await reader.readuntil(b'"progress_percent":5')
        if is_behind_later:
            writer.write(behind)
        await put(stack, "job", user, 10)
        told += await reader.readuntil(b'"progress_percent":50')
        await put(stack, "job", user, 20, "completed")
        told += await reader.readuntil(b'"progress_percent":100')
        if "job/" in path.format("job"):
            told += await reader.read()  # up to the end of the connection
    writer.close()
    assert statuses(told) == [200]
    assert b"\r\nconnection: close\r\n" in told
    await asyncio.to_thread(api.process.stop)
    log = api.process.log.read_text()
    assert '"level":"error"' not in log
    assert "without completing" not in log


@pytest.mark.parametrize("path", ["/api/v1/jobs/{}/events", "/api/v1/jobs/events"])
@pytest.mark.parametrize("is_open", [False, True])
async def test_a_client_that_closes_its_side_gets_what_there_is_and_the_end(
    api: tuple[Stack, Api], user: str, path: str, is_open: bool
) -> None:
    """A client that leaves looks the same, so a stream does not go on."""
    stack, server = api
    await put(stack, user, user, 1)
    reader, writer = await connect(server)
    writer.write(head(user, path=path.format(user.replace(" ", "%20"))) + END)
    told = await reader.readuntil(b'"progress_percent":5') if is_open else b""
    writer.write_eof()
    async with asyncio.timeout(SOON):
        told += await reader.read()
    writer.close()
    assert statuses(told) == [200]
    assert b'"progress_percent":5' in told
    assert told.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "path", ["/api/v1/jobs", "/api/v1/jobs/none", "/health/ready", "/metrics", "/", "/openapi.json"]
)
async def test_a_client_that_closes_its_side_gets_its_answer(api: tuple[Stack, Api], user: str, path: str) -> None:
    reader, writer = await connect(api[1])
    writer.write(head(user, path=path) + END)
    writer.write_eof()
    async with asyncio.timeout(SOON):
        told = await reader.read()
    writer.close()
    assert statuses(told) == [404 if path.endswith("none") else 200]


async def test_requests_in_front_of_a_stream_are_answered_first_and_in_order(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    await put(stack, user, user, 1)
    reader, writer = await connect(server)
    in_front = [head(user), head(user, path="/health/live"), head(user, path="/none")]
    writer.write(END.join([*in_front, head(user, path="/api/v1/jobs/events"), head(user, path="/openapi.json"), b""]))
    async with asyncio.timeout(SOON):
        told = await reader.readuntil(b"event: live")
    writer.close()
    assert statuses(told) == [200, 200, 404, 200]
    in_order = [told.index(part) for part in (b'{"jobs":', b"live\n", b'Not Found",', b"text/event-stream")]
    assert in_order == sorted(in_order)


async def test_answers_come_in_the_order_of_their_requests_and_a_wrong_one_ends_them(
    api: tuple[Stack, Api], user: str
) -> None:
    reader, writer = await connect(api[1])
    live = head(user, path="/health/live")
    writer.write(END.join([head(user), live, b"this is no HTTP", live, b""]))
    async with asyncio.timeout(SOON):
        told = await reader.read()
    writer.close()
    assert statuses(told) == [200, 200, 400]
    assert told.index(b'{"jobs":') < told.index(b"live\n") < told.index(b"problem+json")
