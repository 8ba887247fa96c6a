"""`python -m workers parked [--replay]`: show the records that could not be relayed, or try them again."""

import asyncio

from streams.channel.channel import Outcome
from streams.errors import ItemRefused
from streams.feed.parked import Parked
from streams.feed.record import decode_record, job_id_of, meaning_of
from streams.settings import Settings
from workers.fleet.process import relay_parts
from workers.relay.relay import Relay


async def parked(settings: Settings, *, replay: bool) -> None:
    """Print one line for each parked record; with `replay` publish what is readable now, and forget it."""
    async with relay_parts(settings) as (connect, _):
        parts = await connect()
        count = 0
        async for record in parts.parked.all():
            count += 1
            result = await replayed(parts, record) if replay else record.reason
            place = f"{record.at} {record.shard_id} {record.sequence}"
            print(f"{place} job {job_id_of(record.raw) or 'unknown'}, {len(record.raw)} bytes: {result}")
        print(f"{count} parked record(s)")


async def replayed(parts: Relay, record: Parked) -> str:
    """Publish a record that was put aside; whatever is newer by now is left as it is."""
    try:
        meaning = meaning_of(decode_record(record.raw), parts.epoch)
    except ItemRefused as error:
        return f"stays parked: {error}"
    outcomes = await parts.channel.publish(meaning.changes) if meaning.changes else []
    if Outcome.REFUSED in outcomes:
        return "stays parked: Redis refused the change"
    await parts.parked.remove(record)
    return f"replayed: {', '.join(outcome.value for outcome in outcomes) or 'changed nothing'}"


def run(settings: Settings, *, replay: bool) -> None:
    """Run the command."""
    asyncio.run(parked(settings, replay=replay))
