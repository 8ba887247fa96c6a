"""`python -m workers parked [--replay]`: show the records that could not be relayed, or try them again."""

import asyncio

from msgspec.structs import replace

from streams.channel.channel import Outcome
from streams.errors import ItemRefused
from streams.feed.parked import Parked
from streams.feed.record import decode_record, job_id_of, meaning_of
from streams.jobs.change import Change
from streams.settings import Settings
from workers.fleet.process import relay_parts
from workers.relay.mend import successor
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
    if meaning.refusal:
        return f"stays parked: {meaning.refusal}"
    outcomes = await publish_again(parts, meaning.changes)
    if Outcome.REFUSED in outcomes:
        return "stays parked: Redis refused the change"
    await parts.parked.remove(record)
    return f"replayed: {', '.join(outcome.value for outcome in outcomes) or 'changed nothing'}"


async def publish_again(parts: Relay, changes: list[Change]) -> list[Outcome]:
    """Publish changes of a record that was parked; its watchers may have been told, by its own version, that the job is gone."""
    stored = await parts.channel.latest_by_job([(change.user_id, change.state.job_id) for change in changes])
    again = []
    for change in changes:
        told, state = stored.get((change.user_id, change.state.job_id)), change.state
        if told and told.version == state.version and told.data != state.data:
            state = replace(state, version=successor(told, parts.epoch))
        again.append(Change(change.user_id, state))
    return await parts.channel.publish(again) if again else []


def run(settings: Settings, *, replay: bool) -> None:
    """Run the command."""
    asyncio.run(parked(settings, replay=replay))
