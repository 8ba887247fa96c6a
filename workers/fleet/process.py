"""What a deployable process does around its work: connect, stop when asked to, close."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from botocore.exceptions import ClientError
from msgspec import Struct

from streams.channel.channel import Channel, connect_redis
from streams.errors import ChannelUnavailable, TableUnfit
from streams.feed.feed import Feed
from streams.feed.leases import Leases
from streams.feed.parked import ParkedRecords
from streams.retry import Stopped
from streams.settings import Settings
from streams.table.client import DynamoDB, connect_dynamodb
from streams.table.schema import check_jobs_table
from streams.table.table import Table
from streams.telemetry.tracing import traces_from
from workers.fleet.follow import Followers
from workers.fleet.pulse import Pulse
from workers.relay import metrics
from workers.relay.interest import Interest
from workers.relay.relay import Relay

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces

log = structlog.get_logger()

POLLS = 16  # calls of GetRecords under way at once, whatever the number of shards; the others wait their turn
TABLE_CALLS = 8  # connections of their own for the leases, so that no page of records delays a renewal
LOOKED_WITHIN = 5.0  # seconds; a worker that cannot look at the leases is not ready


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
    me = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    structlog.contextvars.bind_contextvars(worker=me)
    traces = traces_from(os.environ, "headway-relay")
    interest = Interest()
    async with relay_parts(settings, traces, interest) as (connect, channel):
        followers = Followers(connect, me, pulse=Pulse(channel, interest), table=settings.table)
        server = metrics.serve(settings.host, settings.metrics_port, readiness(followers, channel))
        try:
            await followers.run(stopping)
        except Stopped:
            return
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()


@asynccontextmanager
async def relay_parts(
    settings: Settings, traces: "Traces | None" = None, interest: Interest | None = None
) -> AsyncIterator[tuple[Callable[[], Awaitable[Relay]], Channel]]:
    """Give what asks the table for its stream and makes the parts that follow it, and the channel; close all at the end."""
    tables = connect_dynamodb("dynamodb", os.environ, TABLE_CALLS)
    streams = connect_dynamodb("dynamodbstreams", os.environ, POLLS)
    channel = Channel(connect_redis(settings.redis_url))

    async def connect() -> Relay:
        feed = Feed(streams, await stream_of(tables, settings.table))
        leases = Leases(tables, settings.leases_table, feed.arn)
        parked = ParkedRecords(tables, settings.leases_table, feed.arn)
        table, epoch = Table(tables, settings.table), await feed.epoch()
        return Relay(feed, channel, leases, parked, table, epoch, traces, interest or Interest())

    try:
        yield connect, channel
    finally:
        await channel.close()
        await tables.close()
        await streams.close()
        if traces:
            traces.close()


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


def readiness(followers: Followers, channel: Channel) -> Callable[[], str | None]:
    """Return a check, for any thread, that says what this process lacks to relay or to stand by; None for nothing."""
    loop = asyncio.get_running_loop()

    def lacking() -> str | None:
        if not followers.have_looked_within(LOOKED_WITHIN):
            return "the leases table does not answer"
        try:
            asyncio.run_coroutine_threadsafe(channel.ping(), loop).result(timeout=3)
        except (ChannelUnavailable, TimeoutError):
            return "Redis does not answer"
        return None

    return lacking
