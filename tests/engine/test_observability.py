"""What operators see of real processes: ids of requests, lines about streams and shards, and the metrics."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from msgspec import json

from tests.engine.test_streams import percents, put, watching
from tests.support.listening import eventually
from tests.support.stack import Api, Stack, bearer
from workers.demo.engines import Process, free_port

OF_THE_RELAY = """
headway_records_read_total headway_records_unchanged_total headway_records_parked_total headway_changes_total
headway_lag_seconds headway_leases_held headway_polls_total headway_errors_total headway_gaps_total
headway_jobs_mended_total headway_record_to_publish_seconds_count
"""
OF_THE_API = """
headway_streams headway_streams_closed_total headway_events_heard_total headway_frames_sent_total
headway_states_conflated_total headway_stale_seconds_total headway_resyncs_total headway_send_timeouts_total
headway_publish_to_frame_seconds_count headway_feed_whole headway_request_seconds_count
"""


def lines_of(process: Process, event: str) -> list[dict[str, Any]]:
    """Return the lines of a log about one event; every line must be JSON."""
    whole, _, _ = process.log.read_bytes().rpartition(b"\n")  # the last one may not be written to its end
    lines = [json.decode(line, type=dict[str, Any]) for line in whole.splitlines()]
    return [line for line in lines if line["event"] == event]


async def lines(process: Process, event: str) -> list[dict[str, Any]]:
    """Wait for lines about an event."""
    await eventually(lambda: bool(lines_of(process, event)))
    return lines_of(process, event)


def metrics_at(url: str) -> dict[str, float]:
    rows = [line.rpartition(" ") for line in httpx.get(url, timeout=10).text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


async def read_some(api: Api, user: str, job_id: str | None, request_id: str, **claims: int) -> httpx.Response:
    """Open a stream, read its first event, and leave."""
    path = f"/jobs/{job_id}/events" if job_id else "/jobs/events"
    headers = bearer(user, **claims) | {"X-Request-ID": request_id}
    async with httpx.AsyncClient(timeout=30) as client, client.stream("GET", f"{api.url}/api/v1{path}", headers=headers) as answer:  # fmt: skip
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                break
    return answer


@pytest.fixture
def quiet(stack: Stack) -> Api:
    """An api that logs what it logs in production."""
    return stack.start_api(None, HEADWAY_LOG_LEVEL="info", HEADWAY_LOG_FORMAT="json")


async def test_each_stream_has_a_line_when_it_opens_and_one_that_says_why_it_closed(
    stack: Stack, quiet: Api, user: str
) -> None:
    stack.start_relay()
    secret = "a prompt that is nobody's business"
    for job_id in ("ends", "goes", "stays"):
        stack.put(job_id, user, prompt=secret)
    await read_some(quiet, user, "stays", "left-1")
    headers = bearer(user, exp=int(time.time()) - 8)  # what the leeway lets in, for a moment
    async with httpx.AsyncClient(timeout=30) as client:
        expired = await client.get(f"{quiet.url}/api/v1/jobs/events", headers=headers | {"X-Request-ID": "expired-1"})
    assert expired.status_code == 200
    async with watching(quiet, "/jobs/ends/events", user) as ends, watching(quiet, "/jobs/goes/events", user) as goes:
        for watcher in (ends, goes):
            await watcher.until(lambda told: bool(told.states))
        await asyncio.to_thread(stack.put, "ends", user, status="completed", prompt=secret)
        await asyncio.to_thread(stack.delete, "goes")
        await ends.until(lambda told: 204 in told.statuses)
        await goes.until(lambda told: 404 in told.statuses)
    async with watching(quiet, "/jobs/events", user) as last:
        await last.until(lambda told: "live" in [event.event for event in told.events])
        await asyncio.to_thread(quiet.process.stop)
    closed = {(line["job_id"], line["cause"]) for line in lines_of(quiet.process, "stream closed")}
    assert closed == {
        ("stays", "client left"),
        (None, "token expired"),
        ("ends", "done"),
        ("goes", "deleted"),
        (None, "shutdown"),
    }
    check_pairs(quiet.process)
    log = quiet.process.log.read_text()
    assert not [word for word in (user, secret, headers["Authorization"]) if word in log]


def check_pairs(process: Process) -> None:
    opened, closed = (lines_of(process, f"stream {what}") for what in ("opened", "closed"))
    assert sorted(line["request_id"] for line in opened) == sorted(line["request_id"] for line in closed)
    assert {"left-1", "expired-1"} <= {line["request_id"] for line in closed}
    for line in closed:
        assert line["frames"] >= 1
        assert line["seconds"] >= 0


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("7f.Proxy_1:a=b/c+-", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('a"b', False), ("", False)],
)
def test_a_request_keeps_a_sane_id_and_is_given_one_otherwise(
    api: tuple[Stack, Api], user: str, given: str, is_taken: bool
) -> None:
    for path in ("/api/v1/jobs", "/api/v1/jobs/none-such", "/api/v1/jobs?page=x", "/nowhere", "/health/live"):
        url = api[1].url + path
        ids = [httpx.get(url, headers=bearer(user) | {"X-Request-ID": given}).headers["x-request-id"] for _ in "ab"]
        assert (ids == [given] * 2) is is_taken
        assert all(8 <= len(found) <= 64 for found in ids)
        assert is_taken or ids[0] != ids[1]


async def test_streams_and_their_refusals_carry_an_id_too(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    await put(stack, user, user, 1)
    assert (await read_some(server, user, user, "stream-1")).headers["x-request-id"] == "stream-1"
    assert (await read_some(server, user, None, "stream-2")).headers["x-request-id"] == "stream-2"
    refused = await read_some(server, "somebody else", user, "stream-3")
    assert (refused.status_code, refused.headers["x-request-id"]) == (404, "stream-3")


async def test_a_request_that_fails_here_is_logged_with_its_id_its_job_and_the_reason(stack: Stack, user: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    api = stack.start_api(None, AWS_ENDPOINT_URL=nowhere, AWS_ENDPOINT_URL_DYNAMODB=nowhere)
    headers = bearer(user) | {"X-Request-ID": "fails-1"}
    async with httpx.AsyncClient(headers=headers, timeout=20) as client:
        answer = await client.get(f"{api.url}/api/v1/jobs/job_7")
    assert (answer.status_code, answer.headers["x-request-id"]) == (503, "fails-1")
    (line,) = [line for line in await lines(api.process, "request failed") if line["request_id"] == "fails-1"]
    assert (line["status"], line["route"], line["job_id"], line["level"]) == (
        503,
        "/api/v1/jobs/{job_id}",
        "job_7",
        "warning",
    )
    assert "GetItem" in line["reason"]
    assert 'headway_request_seconds_count{route="/api/v1/jobs/{job_id}",status="503"}' in metrics_at(
        f"{api.url}/metrics"
    )


async def test_lines_about_shards_and_jobs_name_them(stack: Stack, user: str) -> None:
    relay = stack.start_relay()
    stack.client.put_item(TableName=stack.table, Item={"job_id": {"S": "poison"}, "user_id": {"S": user}})
    (parked,) = await lines(relay, "record parked")
    (taken,) = await lines(relay, "lease taken")
    assert (parked["job_id"], parked["shard"]) == ("poison", taken["shard"])
    stack.redis.stop()
    await asyncio.to_thread(stack.put, "job", user)
    retrying = [line for line in await lines(relay, "retrying") if line["operation"] == "publish"]
    assert {line["shard"] for line in retrying} == {taken["shard"]}
    assert {line["worker"] for line in (parked, taken, *retrying)} == {taken["worker"]}


async def test_metrics_of_both_processes_are_all_there(stack: Stack, user: str) -> None:
    port = free_port()
    relay = stack.start("relay", "workers", "relay", HEADWAY_METRICS_PORT=str(port))
    relay.until_listening(port)
    api = stack.start_api()
    async with watching(api, "/jobs/events", user) as watcher:
        await put(stack, "job", user, 1)
        await watcher.until(lambda told: 5 in percents(told))
        open_now = metrics_at(f"{api.url}/metrics")
    assert open_now["headway_streams"] == 1
    assert open_now["headway_frames_sent_total"] >= 1
    missing = [
        name
        for url, names in ((f"http://127.0.0.1:{port}/metrics", OF_THE_RELAY), (f"{api.url}/metrics", OF_THE_API))
        for name in set(names.split()) - {shown.partition("{")[0] for shown in metrics_at(url)}
    ]
    assert missing == []
    await eventually(lambda: metrics_at(f"{api.url}/metrics")['headway_streams_closed_total{cause="client left"}'] == 1)
