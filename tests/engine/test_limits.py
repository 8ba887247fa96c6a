"""What a request may be: small, without a body, soon complete; and what is never written down of it."""

import asyncio
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.engine.test_hub import ORIGIN, metrics_of, streaming
from tests.engine.test_streams import put, watching
from tests.support.stack import Api, Stack, bearer


def answer_to(api: Api, *pieces: bytes) -> bytes:
    """Send a request in pieces, until nobody takes any more; return the answer up to its end."""
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), timeout=20) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while data := connection.recv(65536):
                answer += data
        except ConnectionError:
            pass  # It was refused before it was complete.
        return answer


def head(user: str, *more: str, path: str = "/api/v1/jobs") -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"Authorization: {bearer(user)['Authorization']}", *more]
    return "\r\n".join(lines).encode()


def test_a_head_of_30_kb_is_taken(api: tuple[Stack, Api], user: str) -> None:
    answer = answer_to(api[1], head(user, f"Cookie: other={'x' * 30_000}", "Connection: close"), b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\r\nX-Long: ", b"x" * 33_000],
        [b"\r\nX-Endless: ", *[b"x" * 1000] * 10_000],
        [b"\r\nX-Many: x" * 10_000],
        [b"?q=", *[b"x" * 1000] * 10_000],
    ],
    ids=["one long header", "a header without an end", "many headers", "a long address"],
)
def test_a_longer_head_is_refused_before_it_is_complete(api: tuple[Stack, Api], user: str, pieces: list[bytes]) -> None:
    begin = b"GET /api/v1/jobs" if pieces[0].startswith(b"?") else head(user)
    answer = answer_to(api[1], begin, *pieces)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")  # it may be lost when more comes than is read
    assert api[1].get("/jobs", user).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs/events", "/health/live", "/"])
@pytest.mark.parametrize("kind", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_request_with_a_body_is_refused(api: tuple[Stack, Api], user: str, path: str, kind: str) -> None:
    answer = answer_to(api[1], head(user, kind, path=path), b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer


def test_a_body_of_nothing_is_none(api: tuple[Stack, Api], user: str) -> None:
    answer = answer_to(api[1], head(user, "Content-Length: 0", "Connection: close"), b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_what_is_not_http_is_refused(api: tuple[Stack, Api]) -> None:
    assert answer_to(api[1], b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400")


async def test_who_does_not_finish_asking_is_cut(api: tuple[Stack, Api], user: str) -> None:
    whole = head(user) + b"\r\n\r\n"
    first, second = await asyncio.gather(  # both return when the server has closed
        asyncio.to_thread(answer_to, api[1], head(user)), asyncio.to_thread(answer_to, api[1], whole + b"GET")
    )
    assert first == b""
    assert second.startswith(b"HTTP/1.1 ")


def test_a_long_last_event_id_is_as_good_as_none(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    stack.put(user, user, status="completed")
    answer = server.get(f"/jobs/{user}/events", user).text
    known = httpx.get(
        f"{server.url}/api/v1/jobs/{user}/events", headers=bearer(user) | {"Last-Event-ID": "1-" + "9" * 20_000}
    )
    assert "event: done" in answer
    assert (known.status_code, "event: done" in known.text) == (200, True)


def test_only_listed_origins_are_told_in_a_preflight_that_they_may_send_credentials(stack: Stack) -> None:
    api = stack.start_api(HEADWAY_CORS_ORIGINS=ORIGIN)
    wanted = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,last-event-id"}
    allowed, refused = (
        httpx.options(f"{api.url}/api/v1/jobs/events", headers=wanted | {"Origin": origin})
        for origin in (ORIGIN, "https://evil.example")
    )
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert {"authorization", "last-event-id"} <= set(
        allowed.headers["access-control-allow-headers"].lower().split(", ")
    )
    assert "access-control-allow-origin" not in refused.headers


async def test_no_token_is_ever_written_down_and_none_is_read_from_an_address(stack: Stack, user: str) -> None:
    api = stack.start_api(HEADWAY_LOG_LEVEL="debug")
    token = bearer(user)["Authorization"].removeprefix("Bearer ")
    damaged = token[:-3] + "abc"
    async with httpx.AsyncClient(timeout=20) as client:
        opened = await client.send(streaming(client, api, user), stream=True)
        await opened.aclose()
        for headers in ({"Cookie": f"__Host-session={token}"}, {"Authorization": f"Bearer {damaged}"}):
            await client.get(f"{api.url}/api/v1/jobs", headers=headers)
        in_address = await client.get(f"{api.url}/api/v1/jobs/events?token={token}&access_token={token}")
        await client.post(f"{api.url}/api/v1/jobs?token={token}")
        await client.get(f"{api.url}/api/v1/jobs?token={token}", headers={"Cookie": f"__Host-session={damaged}"})
    assert in_address.status_code == 401
    api.process.stop()
    written = api.process.log.read_text()
    assert "api starts" in written
    for secret in (token, damaged):
        assert secret not in written
        assert secret.rpartition(".")[2] not in written


async def test_what_happens_to_streams_is_counted_while_they_are_open(stack: Stack, user: str) -> None:
    stack.start_relay()
    api = stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, "/jobs/job/events", user) as one, watching(api, "/jobs/events", user) as all_jobs:
        for done in range(1, 5):
            await put(stack, "job", user, done)
            for watcher in (one, all_jobs):
                await watcher.until(lambda told, done=done: 5 * done in [s["progress_percent"] for s in told.states])  # type: ignore[misc]
        told = dict(line.rsplit(" ", 1) for line in (await metrics_of(api)).splitlines() if line[0] != "#")
    assert float(told["headway_streams"]) == 2
    assert float(told["headway_feed_whole"]) == 1
    assert float(told["headway_events_heard_total"]) >= 3
    assert float(told["headway_frames_sent_total"]) >= 8
    assert float(told["headway_publish_to_frame_seconds_count"]) == float(told["headway_events_heard_total"])
    for name in ("states_conflated", "resyncs", "send_timeouts", "stale_seconds"):
        assert f"headway_{name}_total" in told


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/client/headway.js"])
def test_what_the_page_loads_may_run_nothing_from_elsewhere(api: tuple[Stack, Api], path: str) -> None:
    answer = httpx.get(f"{api[1].url}{path}")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
