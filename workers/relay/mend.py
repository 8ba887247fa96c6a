"""After records were lost: publish, from the table, the state of every job whose last records were among them.

A state from the table has no version, yet needs one that is newer than what watchers have seen and older than
whatever the stream still brings. The successor of the stored version is both, but only where the difference
between Redis and the table is not merely on its way. So: note the stored versions, read the jobs, wait until the
whole fleet is caught up and the stream's own delay is over; where the stored version still stands, and differs
from what was read, the record in between will never come.
"""

import asyncio
import time
from functools import partial

import structlog
from msgspec.structs import replace

from streams.channel.channel import KEEP, Outcome
from streams.feed.leases import Leases
from streams.jobs.change import Change
from streams.jobs.job import FINAL_STATUSES, Job
from streams.jobs.state import State, Version, deletion_of, state_of
from streams.retry import Stopped, wait
from workers.relay import metrics
from workers.relay.relay import Relay
from workers.relay.retry import hold

log = structlog.get_logger()

SETTLE = 15.0  # seconds; far more than a record takes to appear in the stream
ASK_AGAIN = 1.0  # seconds between two looks at whether the fleet is caught up
BATCH = 100  # jobs read from the table in one call

JobOfUser = tuple[str, str]  # user id, job id


async def mend(parts: Relay, stopping: asyncio.Event, settle: float = SETTLE) -> None:
    """Publish what was lost; raises Stopped when asked to stop before it is done."""
    await until_caught_up(parts.leases, stopping)
    suspects = list(await hold("compare", partial(find_suspects, parts), stopping))
    log.warning("mending a gap", suspects=len(suspects))
    mended = 0
    for start in range(0, len(suspects), BATCH):
        mended += await mend_some(parts, suspects[start : start + BATCH], stopping, settle)
    log.warning("gap mended", jobs=mended)


async def until_caught_up(leases: Leases, stopping: asyncio.Event) -> None:
    """Return when every shard of the fleet is relayed up to now."""
    while not all(
        lease.checkpoint.done or lease.caught_up
        for lease in (await hold("load leases", leases.load, stopping)).values()
    ):
        await wait(stopping, ASK_AGAIN)
        if stopping.is_set():
            raise Stopped


async def find_suspects(parts: Relay) -> set[JobOfUser]:
    """Return the active jobs that Redis knows otherwise than the table, and those of Redis that are not active there."""
    active: set[JobOfUser] = set()
    suspects: set[JobOfUser] = set()
    async for jobs in parts.table.active(int(time.time()) - KEEP):
        found = {(job.user_id, job.job_id): job for job in jobs}
        stored = await parts.channel.latest_by_job(found)
        active |= found.keys()
        suspects |= {name for name, job in found.items() if truth(name, job, stored.get(name))}
    async for names in parts.channel.known():
        suspects |= set(names) - active
    return suspects


def truth(name: JobOfUser, job: Job | None, stored: State | None) -> State | None:
    """Return what watchers may have missed of a user's job, by the table; None where there is nothing to tell.

    Of a final job that Redis does not hold nobody waits for news. A job that is missing, or another user's, was deleted.
    """
    if job and job.user_id == name[0]:
        state = state_of(job)
        is_awaited = stored or job.status not in FINAL_STATUSES
        return state if is_awaited and (stored is None or stored.data != state.data) else None
    if stored and stored.kind != "deleted":
        return deletion_of(stored.job_id, stored.updated_at)
    return None


async def mend_some(parts: Relay, suspects: list[JobOfUser], stopping: asyncio.Event, settle: float) -> int:
    """Publish those whose lost state is really lost; return how many were published."""
    before = await hold("latest", partial(parts.channel.latest_by_job, suspects), stopping)
    jobs = await hold("get jobs", partial(parts.table.get_many, {job_id for _, job_id in suspects}), stopping)
    await wait(stopping, settle)
    await until_caught_up(parts.leases, stopping)
    after = await hold("latest", partial(parts.channel.latest_by_job, suspects), stopping)
    changes = []
    for name in suspects:
        stored = after.get(name)
        if still_stands(before.get(name), stored) and (state := truth(name, jobs.get(name[1]), stored)):
            changes.append(Change(name[0], replace(state, version=successor(stored, parts.epoch))))
    outcomes = await hold("publish", partial(parts.channel.publish, changes), stopping) if changes else []
    published = outcomes.count(Outcome.PUBLISHED)
    metrics.mended.inc(published)
    return published


def still_stands(before: State | None, after: State | None) -> bool:
    """Say whether nothing of a job was relayed in between."""
    return (before and before.version) == (after and after.version)


def successor(stored: State | None, epoch: int) -> Version:
    """Return the smallest version that is newer than the stored one.

    It is not newer than any record still to come: the lost one had at least this sequence number.
    """
    if stored and stored.version:
        return replace(stored.version, sequence=stored.version.sequence + 1)
    return Version(epoch, 0)
