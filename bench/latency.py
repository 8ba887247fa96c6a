"""From UpdateItem returning to the event in a connected client, through every real part."""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from httpx_sse import aconnect_sse
from msgspec import json

from bench.report import Figure, Report, at_most, milliseconds, p50_p99
from tests.support.stack import Api, Stack, bearer
from workers.demo.engines import free_port, local_aws, start_ministack

RATE = 5.0  # updates per second and job
SECONDS = 12
USER = "bench"
MEDIAN, HIGH = at_most(100), at_most(400)  # milliseconds


def run() -> Report:
    """Measure one job, and twenty."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        stack.start_relay()
        api = stack.start_api()
        samples = {jobs: asyncio.run(measure(stack, api, jobs)) for jobs in (1, 20)}
    figures = {jobs: _figures(jobs, found) for jobs, found in samples.items()}
    return Report(
        "Latency: UpdateItem returned → event in the client",
        ["jobs", "events", "p50", "asked", "p99", "asked", "max"],
        [_row(jobs, found, *figures[jobs]) for jobs, found in samples.items()],
        f"ministack, one relay, one api; each job {RATE:.0f} updates/s for {SECONDS} s and a stream of its own.",
        [figure for found in figures.values() for figure in found],
    )


def _figures(jobs: int, samples: list[float]) -> tuple[Figure, Figure]:
    middle, high = p50_p99(samples)
    return (
        Figure(f"latency.{jobs}.p50", middle * 1000, "ms", MEDIAN),
        Figure(f"latency.{jobs}.p99", high * 1000, "ms", HIGH),
    )


def _row(jobs: int, samples: list[float], middle: Figure, high: Figure) -> list[str]:
    cells = [cell for figure in (middle, high) for cell in (str(figure), figure.verdict)]
    return [str(jobs), str(len(samples)), *cells, milliseconds(max(samples))]


async def measure(stack: Stack, api: Api, jobs: int) -> list[float]:
    """Return the seconds from each update to its event."""
    names = [f"bench {jobs} {number}" for number in range(jobs)]
    for name in names:
        await asyncio.to_thread(stack.put, name, USER, scenes_total=1_000_000)
    written: dict[tuple[str, int], float] = {}
    heard: dict[tuple[str, int], float] = {}
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=jobs)) as client:
        watching = [asyncio.ensure_future(_watch(client, api, name, heard)) for name in names]
        await asyncio.gather(*(_write(stack, name, written) for name in names))
        await asyncio.gather(*watching)
    return [max(0.0, heard[key] - written[key]) for key in heard if key in written]


async def _write(stack: Stack, name: str, written: dict[tuple[str, int], float]) -> None:
    updates = int(RATE * SECONDS)
    started = time.monotonic()
    for number in range(1, updates + 1):
        await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
        await asyncio.to_thread(_update, stack, name, number, "completed" if number == updates else "processing")
        written[name, number] = time.monotonic()


def _update(stack: Stack, name: str, number: int, status: str) -> None:
    stack.client.update_item(
        TableName=stack.table,
        Key={"job_id": {"S": name}},
        UpdateExpression="SET scenes_completed = :n, updated_at = :t, #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":n": {"N": str(number)}, ":t": {"N": str(int(time.time()))}, ":s": {"S": status}},
    )


async def _watch(client: httpx.AsyncClient, api: Api, name: str, heard: dict[tuple[str, int], float]) -> None:
    url = f"{api.url}/api/v1/jobs/{name}/events"
    async with aconnect_sse(client, "GET", url, headers=bearer(USER)) as source:
        async for event in source.aiter_sse():
            if event.event in {"update", "done"}:
                heard[name, json.decode(event.data).get("scenes_completed", 0)] = time.monotonic()
