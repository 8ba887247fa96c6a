"""The way to DynamoDB, against a server that misbehaves as no engine does on demand."""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from botocore.exceptions import ClientError
from botocore.session import Session, get_session

from streams.errors import SettingsRefused, TableUnavailable
from streams.table.client import DynamoDB, connect_dynamodb
from streams.table.endpoint import ATTEMPTS, Endpoint, endpoint_of

Answer = Callable[[web.Request], web.StreamResponse]


def refused(status: int, code: str) -> Answer:
    return lambda _: web.json_response({"__type": f"com.amazonaws#{code}", "message": "no"}, status=status)


def dropped(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


def fine(_: web.Request) -> web.StreamResponse:
    return web.json_response({"TableNames": ["jobs"]})


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a client of a server that gives these answers in turn, and the requests that it was sent."""

    @asynccontextmanager
    async def serving(*answers: Answer) -> AsyncIterator[tuple[DynamoDB, list[Any]]]:
        left, asked = list(answers), []

        async def handle(request: web.Request) -> web.StreamResponse:
            asked.append((request.headers.copy(), await request.json()))
            return left.pop(0)(request)

        app = web.Application()
        app.router.add_post("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            monkeypatch.setenv(name, value)
        client = connect_dynamodb("dynamodb", os.environ, 2)
        try:
            yield client, asked
        finally:
            await client.close()
            await runner.cleanup()

    return serving


async def test_a_call_is_signed_and_named_as_boto3_does_it(answering: Any) -> None:
    async with answering(fine) as (client, asked):
        assert await client.call("list_tables", dict[str, Any], Limit=1) == {"TableNames": ["jobs"]}
    [(headers, body)] = asked
    assert body == {"Limit": 1}
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.ListTables"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-central-1/dynamodb/aws4_request" in headers["Authorization"]


@pytest.mark.parametrize(
    "passing",
    [refused(400, "ProvisionedThroughputExceededException"), refused(400, "ThrottlingException"),
     refused(500, "InternalServerError"), refused(503, "ServiceUnavailable"), dropped],
)  # fmt: skip
async def test_what_passes_is_tried_again_and_told_where_it_does_not_pass(answering: Any, passing: Answer) -> None:
    async with answering(passing, passing, fine) as (client, asked):
        assert await client.call("list_tables", dict[str, Any]) == {"TableNames": ["jobs"]}
        assert len(asked) == 3
    async with answering(*[passing] * 4) as (client, asked):
        with pytest.raises(TableUnavailable):
            await client.call("list_tables", dict[str, Any])
        assert len(asked) == ATTEMPTS


async def test_a_refusal_is_told_at_once_in_botocores_words(answering: Any) -> None:
    async with answering(refused(400, "ResourceNotFoundException")) as (client, asked):
        with pytest.raises(ClientError) as told:
            await client.call("describe_table", dict[str, Any], TableName="none")
    assert told.value.response["Error"] == {"Code": "ResourceNotFoundException", "Message": "no"}
    assert len(asked) == 1


async def test_an_answer_that_is_no_dynamodbs_is_told_as_it_is(answering: Any) -> None:
    async with answering(*[lambda _: web.Response(status=502, text="<html>bad gateway</html>")] * 3) as (client, _):
        with pytest.raises(TableUnavailable, match="bad gateway"):
            await client.call("list_tables", dict[str, Any])


async def test_nobody_listening_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment = {"AWS_REGION": "us-east-1"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    client = connect_dynamodb("dynamodb", environment, 1)
    with pytest.raises(TableUnavailable):
        await client.call("list_tables", dict[str, Any])
    await client.close()


@pytest.mark.parametrize("token", ["token\r\nX-Amz-Target: another", "t€ken"])
async def test_credentials_that_are_no_line_of_headers_are_told(
    answering: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    async with answering() as (client, asked):
        with pytest.raises(TableUnavailable, match="no line of text"):
            await client.call("list_tables", dict[str, Any])
    assert asked == []


def test_a_proxy_that_is_none_stops_the_start_with_the_name_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5h://proxy.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://dynamodb.example:8000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(SettingsRefused, match="HTTP_PROXY"):
        connect_dynamodb("dynamodb", {"AWS_REGION": "eu-central-1"}, 1)


async def silent(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError(request)


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(silent, monkeypatch) as (endpoint, session):
        client = DynamoDB(endpoint, session, 1, ClientTimeout(total=None, sock_read=0.05))
        with pytest.raises(TableUnavailable, match="ListTables"):
            await client.call("list_tables", dict[str, Any])
        await client.close()


async def test_a_call_that_is_cancelled_leaves_its_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    is_first = True

    async def first_silent(request: web.Request) -> web.StreamResponse:
        nonlocal is_first
        if is_first:
            is_first = False
            asked.set()
            await asyncio.sleep(3600)
        return fine(request)

    asked = asyncio.Event()
    async with listening(first_silent, monkeypatch) as (endpoint, session):
        client = DynamoDB(endpoint, session, 1)
        waiting = asyncio.ensure_future(client.call("list_tables", dict[str, Any]))
        await asked.wait()
        waiting.cancel()
        assert await client.call("list_tables", dict[str, Any]) == {"TableNames": ["jobs"]}
        await client.close()


async def test_calls_share_so_many_connections_and_the_rest_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    connections: set[object] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        connections.add(request.transport)
        await asyncio.sleep(0)
        return fine(request)

    async with listening(answer, monkeypatch) as (endpoint, session):
        client = DynamoDB(endpoint, session, 3)
        await asyncio.gather(*(client.call("list_tables", dict[str, Any]) for _ in range(50)))
        assert len(connections) == 3
        await client.close()


async def test_a_proxy_is_asked_with_the_credentials_in_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[web.Request] = []

    async def proxy(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return fine(request)

    async with listening(proxy, monkeypatch) as (endpoint, session):
        monkeypatch.setenv("HTTP_PROXY", endpoint.url.replace("http://", "http://user:pass%40word@"))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://dynamodb.example:8000")
        client = DynamoDB(endpoint_of("dynamodb", os.environ, session), session, 1)
        assert await client.call("list_tables", dict[str, Any]) == {"TableNames": ["jobs"]}
        await client.close()
    [request] = asked
    assert request.headers["Host"] == "dynamodb.example:8000"
    assert request.headers["Proxy-Authorization"] == f"Basic {b64encode(b'user:pass@word').decode()}"


@asynccontextmanager
async def listening(
    answer: Callable[[web.Request], Any], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Endpoint, Session]]:
    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    session = get_session()
    try:
        yield endpoint_of("dynamodb", os.environ, session), session
    finally:
        await runner.cleanup()
