"""What a deployable process does around its work: connect, stop when asked to, close."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from streams import dynamodb
from streams.channel import Channel, connect_redis
from streams.checkpoints import Checkpoints
from streams.dynamodb import DynamoDB
from streams.errors import HeadwayError, TableUnfit
from streams.feed import Feed
from streams.schema import check_jobs_table
from streams.settings import Settings
from workers import metrics
from workers.patience import Stopped, hold
from workers.relay import Relay, relay

RELAY_THREADS = 8


def run_until_stopped(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run some work; SIGTERM and SIGINT set the event that asks it to stop."""

    async def run() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await work(stopping)

    asyncio.run(run())


async def run_relay(settings: Settings, stopping: asyncio.Event) -> None:
    """Relay until asked to stop; raises TableUnfit where the jobs table cannot be followed."""
    tables = dynamodb.connect("dynamodb", os.environ, RELAY_THREADS)
    streams = dynamodb.connect("dynamodbstreams", os.environ, RELAY_THREADS)
    channel = Channel(connect_redis(settings.redis_url))
    try:
        feed = Feed(streams, await hold(lambda: stream_of(tables, settings.table), stopping))
        checkpoints = Checkpoints(tables, settings.leases_table, feed.arn)
        parts = Relay(feed, channel, checkpoints, await hold(feed.epoch, stopping))
        server = metrics.serve(settings.host, settings.metrics_port, readiness(parts))
        try:
            await relay(parts, stopping)
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
    except Stopped:
        return
    finally:
        await channel.close()
        tables.close()
        streams.close()


class _Described(Struct, frozen=True, rename="pascal"):
    table: dict[str, Any]


async def stream_of(tables: DynamoDB, name: str) -> str:
    """Return the ARN of a table's stream; raises TableUnfit where there is none to follow."""
    try:
        return check_jobs_table((await tables.call("describe_table", _Described, TableName=name)).table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise TableUnfit(f"table {name} does not exist; python -m streams create-table makes it") from error
        raise


def readiness(parts: Relay) -> Callable[[], bool]:
    """Return a check, for any thread, that Redis and DynamoDB answer this process."""
    loop = asyncio.get_running_loop()

    async def check() -> None:
        await parts.channel.ping()
        await parts.checkpoints.load()

    def is_ready() -> bool:
        try:
            asyncio.run_coroutine_threadsafe(check(), loop).result(timeout=3)
        except (HeadwayError, ClientError, TimeoutError):
            return False
        return True

    return is_ready
