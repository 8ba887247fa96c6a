"""Traces: one change of a job is one trace through both processes, though Redis carries nothing of it."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from streams.jobs.state import State, Version
from streams.telemetry.trace_ids import trace_id_of
from tests.engine.test_streams import has_shown, put, watching
from tests.support.collector import Collector
from tests.support.stack import Stack
from tests.support.watcher import Watcher

WHOLE = {"relay record", "publish", "push"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as collector:
        yield collector


def trace_of(job_id: str, event_id: str) -> int:
    """Return the id of the trace of a state, by what its watcher was told."""
    return trace_id_of(State(job_id, "update", "", 0, b"", Version.parse(event_id.partition("@")[0])))


def is_kept(trace: int) -> bool:
    """Say what the sampler does with half of the traces: https://opentelemetry.io/docs/specs/otel/trace/sdk/."""
    return trace % 2**64 < 2**63


def versions(watcher: Watcher) -> list[str]:
    return [event.id for event in watcher.events if event.event in {"update", "done"} and "table" not in event.id]


async def test_one_update_is_one_trace_from_the_record_to_the_frames(
    stack: Stack, user: str, collector: Collector
) -> None:
    stack.start_relay(**collector.environment)
    api = stack.start_api(None, **collector.environment)
    await put(stack, "job", user, 1)
    async with watching(api, "/jobs/job/events", user) as one, watching(api, "/jobs/events", user) as all_jobs:
        for watcher in (one, all_jobs):
            await watcher.until(partial(has_shown, 5))
        await put(stack, "job", user, 2)
        for watcher in (one, all_jobs):
            await watcher.until(partial(has_shown, 10))
    trace = await asyncio.to_thread(collector.until, WHOLE, trace_of("job", versions(one)[-1]))
    record, publish, push = trace
    assert [(span.service, span.name) for span in trace] == [
        ("headway-relay", "relay record"),
        ("headway-relay", "publish"),
        ("headway-api", "push"),
    ]
    assert (record.parent_id, publish.parent_id, push.parent_id) == (0, record.span_id, publish.span_id)
    assert record.start <= publish.start <= push.start <= push.end
    assert publish.start <= publish.end <= record.end
    assert record.attributes["headway.outcome"] == "published"
    assert (push.attributes["headway.readers"], push.attributes["headway.frames"]) == (2, 2)
    told = {str(value) for span in collector.spans for value in span.attributes.values()}
    assert "job" in told
    assert user not in told


async def test_a_state_that_waits_for_a_reader_is_not_pushed_to_him(
    stack: Stack, user: str, collector: Collector
) -> None:
    stack.start_relay(**collector.environment)
    api = stack.start_api(None, **collector.environment)
    await put(stack, "job", user, 0)
    async with watching(api, "/jobs/job/events", user) as early:
        await early.until(partial(has_shown, 0))
        await put(stack, "job", user, 1)
        await early.until(partial(has_shown, 5))
    async with watching(api, "/jobs/job/events", user) as late:
        await late.until(partial(has_shown, 5))
        await put(stack, "job", user, 2)
        await late.until(partial(has_shown, 10))
    await asyncio.to_thread(collector.until, WHOLE, trace_of("job", versions(late)[-1]))
    pushes = [span for span in collector.of(trace_of("job", versions(early)[-1])) if span.name == "push"]
    assert len(pushes) == 1


async def test_both_processes_keep_the_same_part_of_the_traces(stack: Stack, user: str, collector: Collector) -> None:
    sampled = collector.environment | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    relay = stack.start_relay(**sampled)
    api = stack.start_api(None, **sampled)
    await put(stack, "job", user, 0)
    async with watching(api, "/jobs/job/events", user) as watcher:
        await watcher.until(partial(has_shown, 0))
        for done in range(1, 20):
            await put(stack, "job", user, done)
            await watcher.until(partial(has_shown, 5 * done))
    relay.stop()  # with that, all is sent
    api.process.stop()
    kept = {trace for trace in (trace_of("job", told) for told in versions(watcher)[1:]) if is_kept(trace)}
    assert 0 < len(kept) < 19
    for trace in kept:
        assert {span.name for span in collector.of(trace)} == WHOLE
    assert all(is_kept(span.trace_id) for span in collector.spans)


async def test_a_collector_that_does_not_answer_holds_nobody_up(stack: Stack, user: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        relay = stack.start_relay(**variables)
        api = stack.start_api(None, **variables)
        await put(stack, "job", user, 1)
        async with watching(api, "/jobs/job/events", user) as watcher:
            await watcher.until(partial(has_shown, 5))
            await put(stack, "job", user, 20, "completed")
            await watcher.until(lambda told: 204 in told.statuses)
        for process in (relay, api.process):
            process.send(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 5) == 0
