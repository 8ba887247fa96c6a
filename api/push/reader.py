"""Reads a job's state: the table says what it is, Redis adds which version that is.

Of all a user's jobs Redis also says which changed, and the states that it holds are returned too: the index lags
behind the table.

The caller must be listening already. Then a change that was relayed before is in the consistent read,
and one that is relayed later will be heard.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from streams.channel.channel import Channel, Recent
from streams.errors import ChannelUnavailable
from streams.jobs.job import Job
from streams.jobs.state import State, deletion_of, state_of
from streams.table.table import BATCH, Table

REDIS_WITHIN = 1.0  # seconds
MARGIN = 60  # seconds by which a writer's clock may be behind Redis' when Redis has lost what changed


class Snapshot(Struct, frozen=True):
    """States of a user's jobs, some perhaps of the same job, and the position up to which they tell everything.

    What Redis told comes before what the index says: the index may lag behind what clients have seen.

    `changed` are the jobs that changed since the position asked for.
    """

    states: list[State]
    changed: set[str]
    position: int | None


class StateReader:
    """Reads of the table and of Redis' latest; all raise TableUnavailable, and do without Redis where it is away.

    `has_redis` says whether to ask Redis at all, `is_late` whether what it holds may be older than the table. A Redis
    that froze just now is waited for `redis_within` seconds.
    """

    def __init__(self, table: Table, channel: Channel, redis_within: float | None = REDIS_WITHIN) -> None:
        self.has_redis: Callable[[], bool] = lambda: True
        self.is_late: Callable[[], bool] = lambda: False
        self._redis_within = redis_within
        self._table = table
        self.channel = channel

    async def of_one(self, user_id: str, job_id: str) -> State | None:
        """Return a job's state by a consistent read, None where it does not exist or is not the user's."""
        job = await self._table.get(job_id)
        if job is None or job.user_id != user_id:
            return None
        return (await self._versioned([job]))[0]

    async def of_many(self, jobs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of at most 100 (user id, job id) by one consistent read; a missing one is a deletion."""
        found = await self._table.get_many({job_id for _, job_id in jobs})
        theirs = [job for user_id, job_id in jobs if (job := found.get(job_id)) and job.user_id == user_id]
        owners = [(job.user_id, job.job_id) for job in theirs]
        states = dict(zip(owners, await self._versioned(theirs), strict=True))
        return {asked: states.get(asked) or deletion_of(asked[1], 0) for asked in jobs}

    async def listed(self, user_id: str) -> list[State]:
        """Return the unfinished jobs of a user as the index lists them, which lags behind the table."""
        return [state_of(job) async for job in self._table.unfinished_of(user_id, None)]

    async def of_user(self, user_id: str, since: int | None) -> Snapshot:
        """Return the unfinished jobs of a user, and those that changed since a position (Redis' microseconds).

        The index lags behind the table. So the table itself is asked about what Redis does not hold, and about
        everything while Redis may be late.
        """
        recent = await self._recent(user_id, since)
        floor = None if since is None else since // 1_000_000 - MARGIN
        listed = [state_of(job) async for job in self._table.unfinished_of(user_id, floor)]
        ids = dict.fromkeys([state.job_id for state in listed] + recent.job_ids)
        latest = await self._latest([(user_id, job_id) for job_id in ids])
        trusted = [] if self.is_late() else latest
        known = {state.job_id for state in trusted}
        listed = await self._confirmed(listed, user_id, [job_id for job_id in ids if job_id not in known])
        changed = set() if since is None else _changed(listed, latest, recent, since)
        return Snapshot(trusted + listed, changed, recent.now or None)

    async def _confirmed(self, listed: list[State], user_id: str, unknown: list[str]) -> list[State]:
        """Put what the table itself says of some jobs in the place of what the index says, or does not say."""
        sure: dict[tuple[str, str], State] = {}
        for start in range(0, len(unknown), BATCH):
            sure |= await self.of_many([(user_id, job_id) for job_id in unknown[start : start + BATCH]])
        return [state for state in listed if (user_id, state.job_id) not in sure] + list(sure.values())

    async def _versioned(self, jobs: list[Job]) -> list[State]:
        latest = await self._latest([(job.user_id, job.job_id) for job in jobs])
        versions = {state.job_id: state for state in latest}
        states = [state_of(job) for job in jobs]
        return [_same(state, versions.get(state.job_id)) or state for state in states]

    async def _recent(self, user_id: str, since: int | None) -> Recent:
        if self.has_redis():
            with suppress(ChannelUnavailable, TimeoutError):
                async with asyncio.timeout(self._redis_within):
                    return await self.channel.recent(user_id, since)
        return Recent(0, [])

    async def _latest(self, jobs: list[tuple[str, str]]) -> list[State]:
        if jobs and self.has_redis():
            with suppress(ChannelUnavailable, TimeoutError):
                async with asyncio.timeout(self._redis_within):
                    return await self.channel.latest(jobs)
        return []


def _same(state: State, latest: State | None) -> State | None:
    return latest if latest and latest.data == state.data else None


def _changed(listed: list[State], latest: list[State], recent: Recent, since: int) -> set[str]:
    """Leave out what Redis knows to have been told before."""
    told = {state.job_id for state in latest if state.position <= since}
    return {state.job_id for state in listed if state.job_id not in told} | set(recent.job_ids)
