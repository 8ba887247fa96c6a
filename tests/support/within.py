"""What tests look at from within their own process while Headway's processes run: the tables and Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.channel.channel import Channel, connect_redis
from streams.jobs.state import State
from streams.table.client import DynamoDB, connect_dynamodb
from tests.support.stack import Stack


@asynccontextmanager
async def tables(stack: Stack) -> AsyncIterator[DynamoDB]:
    connected = connect_dynamodb("dynamodb", stack.aws, 4)
    try:
        yield connected
    finally:
        await connected.close()


@asynccontextmanager
async def channel(stack: Stack) -> AsyncIterator[Channel]:
    connected = Channel(connect_redis(f"redis://127.0.0.1:{stack.redis_port}/0"))
    try:
        yield connected
    finally:
        await connected.close()


async def until_stored(
    connected: Channel, user: str, job_id: str, seconds: float = 20, kinds: str = "update done"
) -> State:
    """Wait until Redis holds a state of one of these kinds, and return it."""
    async with asyncio.timeout(seconds):
        while True:
            for state in await connected.latest([(user, job_id)]):
                if state.kind in kinds:
                    return state
            await asyncio.sleep(0.05)  # Another process stores it.
