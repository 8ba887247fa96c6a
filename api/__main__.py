"""`python -m api`: serve the list, the streams and the page."""

import asyncio
import gc
import os
import sys

import structlog
import uvloop
from botocore.exceptions import BotoCoreError

from api.app import Parts, create_app
from api.auth.auth import Authenticate, authenticator
from api.http.bounds import Bounds
from api.http.processes import listening, run_several
from api.http.server import server_for
from api.push.hub import Hub, Limits
from api.push.metrics import HubCollector, show
from api.push.reader import StateReader
from api.rest.cursor_key import CursorKey
from streams.channel.channel import Channel, connect_redis
from streams.errors import HeadwayError
from streams.settings import Settings, settings_from
from streams.table.client import connect_dynamodb
from streams.table.listing import Listing
from streams.table.table import Table
from streams.telemetry.logs import configure_logging
from streams.telemetry.tracing import traces_from

CONNECTIONS = 32  # calls of DynamoDB under way at once
FEED_WITHIN = 2.0  # seconds that the start waits for Redis; without it the streams begin stale

log = structlog.get_logger()


def main() -> None:
    """Serve until stopped; exit with 1 and one line where that cannot be done."""
    try:
        settings = settings_from(os.environ)
        configure_logging(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            authenticate = authenticator(settings)
            runner.run(run_several(settings.processes) if settings.processes > 1 else serve(settings, authenticate))
    except (HeadwayError, BotoCoreError) as error:
        sys.exit(f"api: {error}")


async def serve(settings: Settings, authenticate: Authenticate) -> None:
    """Connect, serve until SIGTERM, close."""
    tables = connect_dynamodb("dynamodb", os.environ, CONNECTIONS)
    redis = connect_redis(settings.redis_url)
    channel = Channel(redis)
    table = Table(tables, settings.table)
    limits = Limits(settings.streams_per_user, settings.streams_per_process)
    traces = traces_from(os.environ, "headway-api")
    relayed = settings.table if settings.heartbeats == "on" else None
    try:
        async with Hub(redis, StateReader(table, channel), limits, traces, relayed).running() as hub:
            show(HubCollector(hub.counts, lambda: hub.streams, lambda: hub.health))
            await hub.until_whole(FEED_WITHIN)
            _spare_the_collector()
            cursor_key = CursorKey(settings, channel.shared_key)
            parts = Parts(table, Listing(tables, settings.table), hub, cursor_key.cursors)
            app = create_app(settings, authenticate, parts)
            server = server_for(app, hub.drain, settings.host, settings.port, Bounds())
            log.info("api starts", host=settings.host, port=settings.port)
            await server.serve(listening(settings))
    finally:
        await channel.close()
        await tables.close()
        if traces:
            traces.close()


def _spare_the_collector() -> None:
    """Keep full collections from walking what stays, and all streams, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


if __name__ == "__main__":
    main()
