"""The real thing: shards of DynamoDB Local that close every few seconds, because its clock runs fast."""

import os
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from msgspec import json
from redis import Redis

from streams.channel.channel import channel_of
from streams.channel.message import state_from_message
from streams.jobs.state import State
from tests.support import dynamodb_local, faketime
from tests.support.stack import Stack, boto_client
from workers.demo.engines import free_port, local_aws

T = TypeVar("T")

FASTER = 900  # four hours, after which a shard rolls, pass in 16 s; and an iterator lives for one
JOBS = 200
ROLLS = 2
USER = "rolling"
END = 10**6
ACCIDENTS = {"InternalServerError", "InternalFailure"}


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Stack]:
    """A stack on a stream that rolls."""
    lacking = dynamodb_local.missing() or (None if faketime.library() else "libfaketime is not found")
    if lacking and "CI" not in os.environ:
        warnings.warn(f"shards that really roll are not tested: {lacking}", pytest.PytestWarning, stacklevel=1)
        pytest.skip(f"shards that really roll are not tested: {lacking}")
    with ExitStack() as stopping:
        port = free_port()
        stopping.callback(
            dynamodb_local.start(port, tmp_path, dynamodb_local.ROLLING, faketime.environment(FASTER)).stop
        )
        stack = patiently(lambda: Stack(local_aws(port), tmp_path, stopping))
        stack.start_redis()
        yield stack


class Hearing(Thread):
    """Everything that is told on one user's channel, by job."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.told: dict[str, list[State]] = defaultdict(list)
        self.stopping = Event()
        self._pubsub = Redis(port=stack.redis_port, protocol=2).pubsub()  # type: ignore[no-untyped-call]
        self._pubsub.subscribe(channel_of(USER))
        assert self._pubsub.get_message(timeout=5)

    def run(self) -> None:
        while not self.stopping.is_set():
            if message := self._pubsub.get_message(timeout=0.1):
                state = state_from_message(message["data"])
                self.told[state.job_id].append(state)
        self._pubsub.close()


def closed_shards(stack: Stack) -> int:
    """Count the shards of the stream that were closed so far."""
    arn = stack.client.describe_table(TableName=stack.table)["Table"]["LatestStreamArn"]
    shards: list[dict[str, Any]] = boto_client("dynamodbstreams", stack.aws).describe_stream(StreamArn=arn)[
        "StreamDescription"
    ]["Shards"]
    return sum("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards)


def write_until_rolled(stack: Stack) -> dict[str, list[int]]:
    """Update the jobs over and over until the stream rolled; return what was written to each, in order."""
    written: dict[str, list[int]] = defaultdict(list)

    def update(job_id: str, number: int, status: str = "processing") -> None:
        job = {"scenes_completed": number, "scenes_total": END, "created_at": 1, "updated_at": number}
        patiently(lambda: stack.put(job_id, USER, status=status, **job))
        written[job_id].append(number)

    jobs = [f"job {number}" for number in range(JOBS)]
    number = 0
    until = time.monotonic() + 100
    while patiently(lambda: closed_shards(stack)) < ROLLS:
        assert time.monotonic() < until, "the stream does not roll"
        number += 1
        for job_id in jobs:
            update(job_id, number)
    for job_id in jobs:
        update(job_id, END, "completed")
    return written


def patiently(call: Callable[[], T]) -> T:
    """Call until it succeeds; to an engine whose clock runs fast, every lock was waited for and every connection idle too long."""
    while True:
        try:
            return call()
        except ConnectionClosedError:
            continue  # A write that was taken all the same changes nothing when it comes again.
        except ClientError as error:
            assert error.response["Error"]["Code"] in ACCIDENTS  # noqa: PT017 - another one is no accident


def test_nothing_is_lost_or_misordered_while_shards_roll(rolling: Stack) -> None:
    """Invariant 4."""
    hearing = Hearing(rolling)
    hearing.start()
    relays = [rolling.start_relay() for _ in range(2)]
    written = write_until_rolled(rolling)
    until = time.monotonic() + 30
    while sum(len(told) for told in hearing.told.values()) < sum(map(len, written.values())):
        assert time.monotonic() < until, "not everything was told"
        assert all(relay.code is None for relay in relays)
        time.sleep(0.1)
    hearing.stopping.set()
    hearing.join()
    for job_id, numbers in written.items():
        told = [json.decode(state.data).get("scenes_completed", 0) for state in hearing.told[job_id]]
        assert told == numbers, job_id
