"""Reading many jobs from a table that leaves keys unprocessed, as DynamoDB does when it is short of capacity."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from streams.errors import Throttled
from streams.table.client import connect_dynamodb
from streams.table.table import BATCH, LEFT_OVER, LEFT_OVER_ATTEMPTS, Table
from tests.support.fake_dynamodb import ShortOfCapacity, serving

JOBS = [f"job {number}" for number in range(BATCH)]


@asynccontextmanager
async def reading(server: ShortOfCapacity, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Table]:
    """Give the table of a server."""
    async with serving(server) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        client = connect_dynamodb("dynamodb", os.environ, 2)
        try:
            yield Table(client, "jobs")
        finally:
            await client.close()


def retries() -> float:
    labels = {"operation": LEFT_OVER, "error": "UnprocessedKeys"}
    return REGISTRY.get_sample_value("headway_retries_total", labels) or 0.0


async def test_keys_left_unprocessed_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server, before = ShortOfCapacity([40, 0, 35, BATCH]), retries()
    async with reading(server, monkeypatch) as table:
        assert set(await table.get_many(JOBS)) == set(JOBS)
    assert [count for _, count in server.asked] == [100, 60, 60, 25]
    assert retries() == before + 3


async def test_a_throttled_table_is_asked_ever_more_slowly_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ShortOfCapacity([0])
    async with reading(server, monkeypatch) as table, asyncio.timeout(30):
        with pytest.raises(Throttled, match="100 keys"):
            await table.get_many(JOBS)
    assert len(server.asked) == LEFT_OVER_ATTEMPTS
