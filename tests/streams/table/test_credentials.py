"""Keys that end or are rotated, from each source that can be had here; the server takes only those of the moment."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec import json

from streams.errors import TableUnavailable
from streams.table.client import connect_dynamodb
from streams.table.endpoint import ATTEMPTS

CODES = ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"]


class Guard:
    """A DynamoDB that takes one access key and refuses all others."""

    def __init__(self) -> None:
        self.taken = "one"
        self.code = CODES[0]
        self.message = "no longer"
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        self.asked.append(key)
        if key == self.taken:
            return web.json_response({"TableNames": []})
        return web.json_response({"__type": f"com.amazon#{self.code}", "message": self.message}, status=400)


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Guard]:
    guard = Guard()
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    async with serving(guard.answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield guard


def keys_in(path: Path, key: str) -> None:
    path.write_text(
        f"[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\naws_session_token = {key}\n"
    )


@pytest.mark.parametrize("code", CODES)
async def test_a_credentials_file_that_is_rotated_is_read_anew(guard: Guard, tmp_path: Path, code: str) -> None:
    keys_in(tmp_path / "credentials", "one")
    client = connect_dynamodb("dynamodb", os.environ, 2)
    await client.call("list_tables", dict[str, Any])
    keys_in(tmp_path / "credentials", "two")
    guard.taken, guard.code = "two", code
    await client.call("list_tables", dict[str, Any])
    await client.call("list_tables", dict[str, Any])
    assert guard.asked == ["one", "one", "two", "two"]
    await client.close()


async def test_a_process_that_gives_keys_is_asked_anew(guard: Guard, tmp_path: Path) -> None:
    current = tmp_path / "current"
    script = tmp_path / "keys.py"
    script.write_text(
        "import json, pathlib\n"
        f"key = pathlib.Path({str(current)!r}).read_text()\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': key, 'SecretAccessKey': 's', 'SessionToken': 't'}))\n"
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    current.write_text("one")
    client = connect_dynamodb("dynamodb", os.environ, 2)
    await client.call("list_tables", dict[str, Any])
    current.write_text("two")
    guard.taken = "two"
    await client.call("list_tables", dict[str, Any])
    assert guard.asked == ["one", "one", "two"]
    await client.close()


async def test_a_container_that_lends_keys_is_asked_anew(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    lent = ["one"]

    async def lend(_: web.Request) -> web.StreamResponse:
        ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {"AccessKeyId": lent[0], "SecretAccessKey": "s", "Token": "t", "Expiration": ends}
        return web.Response(body=json.encode(keys), content_type="application/json")

    async with serving(lend) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/keys")
        client = await asyncio.to_thread(connect_dynamodb, "dynamodb", os.environ, 2)  # it may ask the container
        await client.call("list_tables", dict[str, Any])
        lent[0] = guard.taken = "two"
        await client.call("list_tables", dict[str, Any])
        await client.close()
    assert guard.asked == ["one", "one", "two"]


async def test_keys_that_nobody_renews_are_told_as_worth_another_try(guard: Guard, tmp_path: Path) -> None:
    keys_in(tmp_path / "credentials", "old")
    client = connect_dynamodb("dynamodb", os.environ, 2)
    with pytest.raises(TableUnavailable, match="ExpiredTokenException"):
        await client.call("list_tables", dict[str, Any])
    assert len(guard.asked) <= 2 * ATTEMPTS
    keys_in(tmp_path / "credentials", "one")
    await client.call("list_tables", dict[str, Any])
    await client.close()


async def test_no_keys_at_all_are_told_as_worth_another_try(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = connect_dynamodb("dynamodb", os.environ, 2)
    with pytest.raises(TableUnavailable, match="credentials were not found"):
        await client.call("list_tables", dict[str, Any])
    assert guard.asked == []
    await client.close()


@pytest.mark.parametrize(
    ("code", "message"),
    [("RequestTimeTooSkewed", "The difference is too large."), ("InvalidSignatureException", "Signature expired: …")],
)
async def test_a_clock_that_is_wrong_is_told_in_one_line_with_the_seconds(
    guard: Guard, tmp_path: Path, code: str, message: str
) -> None:
    guard.code, guard.message = code, message
    keys_in(tmp_path / "credentials", "old")
    client = connect_dynamodb("dynamodb", os.environ, 2)
    with pytest.raises(TableUnavailable, match=r"clock is \d s (ahead of|behind) AWS'") as told:
        await client.call("list_tables", dict[str, Any])
    assert "\n" not in str(told.value)
    assert len(guard.asked) == ATTEMPTS  # other keys would not help
    await client.close()
