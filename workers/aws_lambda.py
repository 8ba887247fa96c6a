"""The relay as an AWS Lambda function, for those who want AWS to run the fleet.

Handler `workers.aws_lambda.handler`; event source: the table's stream, with `ReportBatchItemFailures`. AWS polls, keeps
the checkpoints and retries; decoding, publishing and parking are the fleet's own. Do not run both at once for long: it
is harmless, but everything is done twice. After trimmed data, which AWS does not tell, nothing is mended.
"""

import asyncio
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import structlog
from msgspec import json

from streams.channel.channel import Channel, connect_redis
from streams.errors import ChannelUnavailable, TableUnavailable
from streams.feed.feed import epoch_of
from streams.feed.parked import Parked, ParkedRecords
from streams.feed.record import job_id_of, last_sequence
from streams.settings import Settings, settings_from
from streams.table.client import connect_dynamodb
from streams.telemetry.logs import configure_logging
from workers.relay.batch import SIZE, understand

log = structlog.get_logger()

Event = dict[str, Any]


def handler(event: Event, context: object = None) -> dict[str, list[dict[str, str]]]:
    """Relay one batch; answers from which record on AWS has to try again, where Redis or the leases table is away."""
    runner, function = _started()
    return runner.run(function.relay(event, getattr(context, "aws_request_id", None)))


@cache
def _started() -> tuple[asyncio.Runner, "Function"]:
    """Connect once for all batches that this instance of the function will see."""
    settings = settings_from(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    return asyncio.Runner(), Function(settings)


class Function:
    """What one instance of the function keeps between batches."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel = Channel(connect_redis(settings.redis_url))
        self._tables = connect_dynamodb("dynamodb", os.environ, connections=2)

    async def relay(self, event: Event, request_id: str | None = None) -> dict[str, list[dict[str, str]]]:
        """Publish what the batch changed, and park what cannot be; AWS' id of the request goes into the log."""
        structlog.contextvars.bind_contextvars(request_id=request_id)
        records = event["Records"]
        for start in range(0, len(records), SIZE):
            some = records[start : start + SIZE]
            try:
                await self._relay(some[0]["eventSourceARN"], [json.encode(record) for record in some])
            except (ChannelUnavailable, TableUnavailable) as error:
                # All of them come again: how many of them Redis took is not known, and to repeat is harmless.
                log.warning("batch comes again", reason=str(error), records=len(records) - start)
                return {"batchItemFailures": [{"itemIdentifier": some[0]["dynamodb"]["SequenceNumber"]}]}
        return {"batchItemFailures": []}

    async def _relay(self, arn: str, records: Sequence[bytes]) -> None:
        batch = await understand(records, epoch_of(arn.rpartition("/")[2]))
        outcomes = await self._channel.publish(batch.changes) if batch.changes else []
        parked = ParkedRecords(self._tables, self._settings.leases_table, arn)
        for raw, reason in batch.to_park(outcomes):
            sequence = last_sequence([raw]) or "unknown"
            log.error("record parked", sequence=sequence, job_id=job_id_of(raw), reason=reason)
            await parked.park(Parked("lambda", sequence, reason, raw))

    async def close(self) -> None:
        """Close the connections."""
        await self._channel.close()
        await self._tables.close()
