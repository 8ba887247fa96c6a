"""Bringing what is shown in line with the table: one doubtful job, or all that is watched.

The rule behind every read here: a consistent read that began when a state was already shown is never
older than that state.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Container, Coroutine, Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct, field, structs

from api.errors import JobNotFound
from api.push.audience import Audience, JobSubscription, UserSubscription, Watch
from api.push.frames import Event
from api.push.mailbox import UserMailbox
from api.push.reader import Snapshot, StateReader
from streams.errors import TableUnavailable, Throttled
from streams.jobs.state import State, deletion_of
from streams.retry import Backoff, retries, retry
from streams.table.table import BATCH

# In the background a refusal (a missing table, a key that expired) is waited out like an outage.
PASSING = (TableUnavailable, ClientError)
SETTLE_AGAIN = Backoff(
    None, first=0.1, longest=5.0
)  # without end: what is shown may be wrong as long as somebody watches
for passing in (TableUnavailable, Throttled):
    retries.labels("settle", passing.__name__)  # 0, so that the first one is seen as an increase
SETTLE_AT_ONCE = 3  # tries, for a job may change while it is read
PAUSE = 0.1  # seconds between two batches: at most 1,000 jobs a second
PAUSE_PER_USER = 0.02  # seconds between two users' lists: at most 50 a second


class _StillDoubtful(Exception):
    """A read did not decide which of two states is newer."""


class _Asking(Struct, eq=False):
    """A doubt that is being read about, and what is shown meanwhile."""

    asked: State
    shown: Event | None
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class Reconciler:
    """Reads again for the watches of one process; `spawn` starts tasks and owns them."""

    def __init__(self, reader: StateReader, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._reader = reader
        self._spawn = spawn
        self._asking: dict[Watch, _Asking] = {}

    def settle_soon(self, watch: Watch) -> None:
        """Have a doubt decided by a consistent read, if there is one."""
        if watch.doubtful and not watch.settling:
            watch.settling = True
            self._spawn(self._settle(watch))

    async def open(self, reader: JobSubscription) -> bool:
        """Read the state of a job and hand it to its reader; return False if it knows already, and nothing will follow.

        What was heard while the read was under way may be older than what this client has seen elsewhere: the
        relay may be late. So a doubt is settled first. Raises JobNotFound, TableUnavailable.
        """
        watch = reader.watch
        shown = watch.event
        state = await self._reader.of_one(watch.audience.user_id, watch.job_id)
        if state is None:
            raise JobNotFound(watch.job_id)
        watch.believe(state, shown)
        for _ in range(SETTLE_AT_ONCE):
            if watch.doubtful:
                await self._ask(watch, watch.doubtful)
        self.settle_soon(watch)
        return reader.mailbox.open(watch.event) if watch.event else True

    async def open_all(
        self, reader: UserSubscription, since: int | None, missing_since: int, *, is_heard: bool
    ) -> bool:
        """Read the state of all the user's jobs and hand it to a reader of all; return whether that is all there is.

        Raises TableUnavailable.

        `since` is the position up to which its client was told; `missing_since` is one behind which something may be
        missing where not everything is heard.
        """
        reader.mailbox.since = since
        snapshot = await self._reader.of_user(reader.audience.user_id, since)
        if not is_heard:
            snapshot = structs.replace(snapshot, position=None)
        await self.hand_over(snapshot, reader.audience, [reader.mailbox], missing_since)
        return snapshot.position is not None

    async def hand_over(
        self,
        snapshot: Snapshot,
        audience: Audience,
        mailboxes: Collection[UserMailbox],
        missing_since: int | None = None,
    ) -> None:
        """Open streams of all jobs with what was read; where Redis and the index disagree, the table itself is asked.

        Either may be behind what a client has seen elsewhere: the index lags, and a Redis that has lost its
        memory believes a relay that repeats itself. So may be what was heard meanwhile of other jobs: the relay
        may be late.
        """
        watches = {watch.job_id: watch for watch in self._offer(snapshot.states, audience)}
        news, sure = set(snapshot.changed), set(watches)
        for _ in range(SETTLE_AT_ONCE):
            heard = {job_id for mailbox in mailboxes for job_id in mailbox.heard_while_opening} - sure
            unsure = [watch for job_id in heard if (watch := audience.watches.get(job_id))]
            doubted = unsure + [watch for watch in watches.values() if watch.doubtful]
            async for watch, _event in self._reread(doubted):
                news.add(watch.job_id)
            sure |= heard
        here = {**audience.watches, **watches}
        for mailbox in mailboxes:
            # The index may not list yet what is watched here; to a new client that cannot be old.
            asked = here if mailbox.since is None else watches
            events = [watch.event for watch in asked.values() if watch.event]
            told = [event for event in events if event.state.job_id in news or mailbox.opens_with(event.state)]
            mailbox.open(told, snapshot.position, missing_since)

    async def mend(self, audiences: Collection[Audience], since: int) -> None:
        """Read again all that these users watch and say that it is live; raises TableUnavailable."""
        async for watch, _ in self._reread(_with_readers(audiences)):
            for mailbox in watch.mailboxes:
                mailbox.live()
                if watch.event:
                    mailbox.put(watch.event)
        for audience in audiences:
            if audience.mailboxes:
                await self._mend_user(audience, since)
            audience.missing_since = None
            if audience.mailboxes:
                await asyncio.sleep(PAUSE_PER_USER)

    async def _mend_user(self, audience: Audience, since: int) -> None:
        behind = [
            mailbox.since for mailbox in audience.mailboxes if mailbox.lacks_position and mailbox.since is not None
        ]
        snapshot = await self._reader.of_user(audience.user_id, min([since, *behind]))
        await self._reread_unnamed(audience, {state.job_id for state in snapshot.states})
        await self.hand_over(snapshot, audience, list(audience.mailboxes))

    async def poll(self, audiences: Collection[Audience]) -> None:
        """Read again all that is watched while nothing is heard: bars move, and stay stale; raises TableUnavailable."""
        async for _ in self._reread(_with_readers(audiences)):
            pass
        for audience in audiences:
            if audience.mailboxes:
                await self._poll_user(audience)
                await asyncio.sleep(PAUSE_PER_USER)

    async def _poll_user(self, audience: Audience) -> None:
        states = await self._reader.listed(audience.user_id)
        self._offer(states, audience)
        await self._reread_unnamed(audience, {state.job_id for state in states})

    async def _settle(self, watch: Watch) -> None:
        async def ask() -> None:
            if watch.doubtful and watch.is_watched:
                await self._ask(watch, watch.doubtful)
            if watch.doubtful and watch.is_watched:
                raise _StillDoubtful(f"job {watch.job_id}: the read was too early")

        await retry("settle", ask, (*PASSING, _StillDoubtful), SETTLE_AGAIN)
        watch.settling = False

    async def _ask(self, watch: Watch, asked: State) -> None:
        """Have a doubt decided by one read for all who wait for it; it stays where that was too early, or failed for another."""
        shown, under_way = watch.event, self._asking.get(watch)
        if under_way and under_way.asked is asked and under_way.shown is shown:
            await under_way.is_over.wait()
            return
        mine = self._asking[watch] = _Asking(asked, shown)
        try:
            state = await self._reader.of_one(watch.audience.user_id, watch.job_id)
            watch.settle(state or deletion_of(watch.job_id, asked.updated_at), shown, asked)
        finally:
            mine.is_over.set()
            if self._asking.get(watch) is mine:
                del self._asking[watch]

    async def _reread_unnamed(self, audience: Audience, named: Container[str]) -> None:
        """Read the unfinished jobs that a snapshot did not name: they ended, or were deleted."""
        unnamed = [watch for watch in audience.watches.values() if watch.is_unfinished and watch.job_id not in named]
        async for _ in self._reread(unnamed):
            pass

    async def _reread(self, watches: Sequence[Watch]) -> AsyncIterator[tuple[Watch, Event | None]]:
        for start in range(0, len(watches), BATCH):
            shown = {(w.audience.user_id, w.job_id): (w, w.event) for w in watches[start : start + BATCH]}
            states = await self._reader.of_many(list(shown))
            for key, (watch, event) in shown.items():
                watch.believe(states[key], event)
                self.settle_soon(watch)
                yield watch, event
            if start + BATCH < len(watches):
                await asyncio.sleep(PAUSE)

    def _offer(self, states: Sequence[State], audience: Audience) -> list[Watch]:
        if not audience.mailboxes:
            return []  # All have left while it was read.
        watches = {state.job_id: audience.watch(state.job_id) for state in states}
        for state in states:
            watches[state.job_id].offer(state)
        for watch in watches.values():
            self.settle_soon(watch)
        return list(watches.values())


def _with_readers(audiences: Iterable[Audience]) -> list[Watch]:
    return [watch for audience in audiences for watch in audience.watches.values() if watch.mailboxes]
