"""After records were lost: publish, from the table, the state of every active job whose last records were among them.

A state from the table has no version, yet needs one that is newer than what watchers have seen and older than
whatever the stream still brings. The successor of the stored version is both, but only where the difference
between Redis and the table is not merely on its way. So: note the stored versions, read the jobs, wait until the
whole fleet is caught up and the stream's own delay is over; where the stored version still stands, and differs
from what was read, the record in between will never come.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from functools import partial

import structlog
from msgspec.structs import replace

from streams.channel import KEEP, Channel, Outcome
from streams.job import FINAL_STATUSES, Job
from streams.leases import Leases
from streams.record import Change
from streams.state import State, Version, state_of
from workers import metrics
from workers.patience import Stopped, hold, wait
from workers.relay import Relay

log = structlog.get_logger()

SETTLE = 15.0  # seconds; far more than a record takes to appear in the stream
ASK_AGAIN = 1.0  # seconds between two looks at whether the fleet is caught up
BATCH = 100  # jobs read from the table in one call


async def mend(parts: Relay, stopping: asyncio.Event, settle: float = SETTLE) -> None:
    """Publish what was lost; raises Stopped when asked to stop before it is done."""
    await until_caught_up(parts.leases, stopping)
    suspects = await hold(partial(find_suspects, parts), stopping)
    log.warning("mending a gap", suspects=len(suspects))
    mended = 0
    for start in range(0, len(suspects), BATCH):
        mended += await mend_some(parts, suspects[start : start + BATCH], stopping, settle)
    log.warning("gap mended", jobs=mended)


async def until_caught_up(leases: Leases, stopping: asyncio.Event) -> None:
    """Return when every shard of the fleet is relayed up to now."""
    while not all(lease.checkpoint.done or lease.caught_up for lease in (await hold(leases.load, stopping)).values()):
        await wait(stopping, ASK_AGAIN)
        if stopping.is_set():
            raise Stopped


async def find_suspects(parts: Relay) -> list[tuple[str, str]]:
    """Return (user id, job id) of the active jobs that Redis knows otherwise than the table."""
    suspects: list[tuple[str, str]] = []
    async for jobs in parts.table.active(int(time.time()) - KEEP):
        stored = await stored_states(parts.channel, ((job.user_id, job.job_id) for job in jobs))
        suspects += [(job.user_id, job.job_id) for job in jobs if is_suspect(job, stored.get(job.job_id))]
    return suspects


def is_suspect(job: Job, stored: State | None) -> bool:
    """Say whether watchers may have missed something of a job; of a final one that Redis does not hold, nobody waits for news."""
    if stored is None:
        return job.status not in FINAL_STATUSES
    return stored.data != state_of(job).data


async def mend_some(parts: Relay, suspects: list[tuple[str, str]], stopping: asyncio.Event, settle: float) -> int:
    """Publish those whose lost state is really lost; return how many were published."""
    before = await hold(partial(stored_states, parts.channel, suspects), stopping)
    jobs = await hold(partial(parts.table.get_many, [job_id for _, job_id in suspects]), stopping)
    await wait(stopping, settle)
    await until_caught_up(parts.leases, stopping)
    after = await hold(partial(stored_states, parts.channel, suspects), stopping)
    changes = [
        Change(job.user_id, successor(job, after.get(job.job_id), parts.epoch))
        for job in jobs.values()
        if still_stands(before.get(job.job_id), after.get(job.job_id)) and is_suspect(job, after.get(job.job_id))
    ]
    outcomes = await hold(partial(parts.channel.publish, changes), stopping) if changes else []
    published = outcomes.count(Outcome.PUBLISHED)
    metrics.mended.inc(published)
    return published


def still_stands(before: State | None, after: State | None) -> bool:
    """Say whether nothing of a job was relayed in between."""
    return (before and before.version) == (after and after.version)


def successor(job: Job, stored: State | None, epoch: int) -> State:
    """Return the job's state with the smallest version that is newer than the stored one.

    It is not newer than any record still to come: the lost one had at least this sequence number.
    """
    version = Version(epoch, 0)
    if stored and stored.version:
        version = replace(stored.version, sequence=stored.version.sequence + 1)
    return state_of(job, version)


async def stored_states(channel: Channel, jobs: Iterable[tuple[str, str]]) -> Mapping[str, State]:
    """Return Redis' latest states by job id."""
    return {state.job_id: state for state in await channel.latest(jobs)}
