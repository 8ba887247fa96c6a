"""The push hub: one connection to Redis, and for each job watched here one state, the newest known.

A connection holds no history, only what it has not been sent yet (api/mailbox.py). Whether a state is
newer is decided once per job (api/audience.py); where that is unsure, one consistent read of the table
settles it. After the feed was broken, everything watched is read again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from api.audience import Audience, Watch
from api.auth import Caller
from api.errors import JobNotFound, TooManyStreams
from api.frames import BYE, position_of
from api.mailbox import Mailbox, Slot, Slots
from api.metrics import Counts
from api.reconcile import Reconciler
from api.truth import Truth
from streams.channel import channel_of
from streams.errors import ChannelUnavailable, TableUnavailable
from streams.listener import Listener
from streams.message import state_from_message

log = structlog.get_logger()

LIFETIME = (480, 720)  # seconds: ten minutes, jittered, so that connections spread over processes
DRAIN_WITHIN = 0.4  # seconds that a reader has to take its last frames
RESYNC_JITTER = 0.5
READ_AGAIN = 1.0
POLL_EVERY = 3.0  # seconds between two rounds of reading while nothing is heard
FIRST_RESYNC = 60.0  # how far a process that has heard nothing yet looks back


class Limits(Struct, frozen=True):
    """How many streams may be open."""

    per_user: int
    per_process: int


class Hub:
    """All streams of one process."""

    def __init__(self, redis: Redis, truth: Truth, limits: Limits) -> None:
        self.counts = Counts()
        self._truth = truth
        self._limits = limits
        self._audiences: dict[bytes, Audience] = {}
        self._mailboxes: set[Mailbox] = set()
        self._listener = Listener(redis, self._hear, self._told)
        self._reconciler = Reconciler(truth, self._audiences, self.spawn)
        self._repair: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._position = 0  # the newest that was heard
        self._draining = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hub"]:
        """Listen and keep time until left."""
        async with asyncio.TaskGroup() as self._tasks:
            own = [self._tasks.create_task(self._listener.run()), self._tasks.create_task(self._keep_time())]
            try:
                yield self
            finally:
                for task in own:
                    task.cancel()

    @property
    def is_whole(self) -> bool:
        """Whether everything published is heard here."""
        return self._listener.whole

    async def until_whole(self, seconds: float) -> None:
        """Return when the feed is whole, or after some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listener.first_whole.wait()

    @property
    def streams(self) -> int:
        """Return the number of open streams."""
        return len(self._mailboxes)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that the hub owns."""
        return self._tasks.create_task(work)

    def drain(self) -> None:
        """End every stream, now and from now on: the process stops. Who does not read is cut a moment later."""
        self._draining = True
        for mailbox in list(self._mailboxes):
            mailbox.end(BYE)
        asyncio.get_running_loop().call_later(DRAIN_WITHIN, self._cut_all)

    def _cut_all(self) -> None:
        for mailbox in list(self._mailboxes):
            mailbox.cut()

    @contextmanager
    def slot(self, caller: Caller, job_id: str, last_event_id: str) -> Iterator[tuple[Watch, Slot]]:
        """Register a reader of one job; open_slot() fills it. Raises TooManyStreams."""
        lifetime, is_token = _lifetime(caller)
        slot = Slot(lifetime, last_event_id, is_token=is_token)
        with self._registered(caller.user_id, slot) as audience:
            watch = audience.watch(job_id)
            watch.slots.add(slot)
            try:
                yield watch, slot
            finally:
                audience.leave(watch, slot)

    @contextmanager
    def slots(self, caller: Caller, statuses: Collection[str]) -> Iterator[tuple[Audience, Slots]]:
        """Register a reader of all of a user's jobs; open_slots() fills it. Raises TooManyStreams."""
        lifetime, is_token = _lifetime(caller)
        slots = Slots(lifetime, statuses, is_token=is_token)
        with self._registered(caller.user_id, slots) as audience:
            audience.boxes.add(slots)
            try:
                yield audience, slots
            finally:
                audience.leave_all(slots)

    async def open_slot(self, watch: Watch, slot: Slot) -> bool:
        """Read what is true now and hand it to the reader; return False if it knows already, and nothing will follow.

        Raises JobNotFound where the job does not exist or is someone else's, TableUnavailable.
        """
        await self._heard(watch.audience)
        shown = watch.event
        truth = await self._truth.of_one(watch.audience.user_id, watch.job_id)
        if truth is None:
            raise JobNotFound(watch.job_id)
        watch.believe(truth, shown)
        self._reconciler.settle_soon(watch)
        if not self.is_whole:
            slot.stale()
        return slot.open(watch.event) if watch.event else True

    async def open_slots(self, audience: Audience, slots: Slots, last_event_id: str) -> None:
        """Read what is true now of all the user's jobs and hand it to the reader; raises TableUnavailable."""
        await self._heard(audience)
        snapshot = await self._truth.of_user(audience.user_id, position_of(last_event_id))
        self._reconciler.hand_over(snapshot, audience, [slots])
        if not self.is_whole:
            slots.stale()

    @contextmanager
    def _registered(self, user_id: str, mailbox: Mailbox) -> Iterator[Audience]:
        self._refuse_too_many(user_id)
        audience = Audience(user_id)
        audience = self._audiences.setdefault(audience.channel, audience)
        audience.streams += 1
        self._listener.listen(audience.channel)
        self._mailboxes.add(mailbox)
        if self._draining:
            mailbox.end(BYE)
        try:
            yield audience
        finally:
            self._mailboxes.discard(mailbox)
            self.counts.conflated += mailbox.conflated
            audience.streams -= 1
            self._close_if_empty(audience)

    def _refuse_too_many(self, user_id: str) -> None:
        audience = self._audiences.get(channel_of(user_id))
        if audience and audience.streams >= self._limits.per_user:
            raise TooManyStreams(f"{audience.streams} streams of yours are open here; close one", of_user=True)
        if len(self._mailboxes) >= self._limits.per_process:
            raise TooManyStreams("too many streams are open here; another process may have room", of_user=False)

    def _close_if_empty(self, audience: Audience) -> None:
        if not audience.streams and self._audiences.get(audience.channel) is audience:
            del self._audiences[audience.channel]
            self._listener.forget(audience.channel)

    async def _heard(self, audience: Audience) -> None:
        with suppress(ChannelUnavailable):  # Then the reader is told so, and gets what the table says.
            await self._listener.heard(audience.channel)

    def _hear(self, channel: bytes, message: bytes) -> None:
        audience = self._audiences.get(channel)
        if audience is None:
            return
        try:
            state = state_from_message(message)
        except ValueError as error:
            log.error("message refused", channel=channel.decode(errors="replace"), reason=str(error))  # noqa: TRY400
            return
        self.counts.events += 1
        self._position = max(self._position, state.position)
        if watch := audience.hear(state):
            self._reconciler.settle_soon(watch)
        self.counts.took(max(0.0, time.time() - state.position / 1_000_000))

    def _told(self, whole: bool) -> None:
        if self._repair:
            self._repair.cancel()
            self._repair = None
        if not whole:
            for mailbox in list(self._mailboxes):
                mailbox.stale()
        if not whole or self._mailboxes:
            self._repair = self.spawn(self._mend() if whole else self._poll())

    async def _mend(self) -> None:
        """Read again all that is watched: nobody knows what was published while the feed was broken."""
        self.counts.resyncs += 1
        since = self._position or int(time.time() - FIRST_RESYNC) * 1_000_000
        await asyncio.sleep(random.uniform(0, RESYNC_JITTER))  # noqa: S311 - jitter, no secret
        await self._persist(lambda: self._reconciler.mend(since))

    async def _poll(self) -> None:
        """While the feed is broken, let bars move by the table, slower."""
        while True:
            await asyncio.sleep(POLL_EVERY)
            await self._persist(self._reconciler.poll)

    @staticmethod
    async def _persist(read: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await read()
            except TableUnavailable as error:
                log.warning("reading again waits", reason=str(error))
                await asyncio.sleep(READ_AGAIN)

    async def _keep_time(self) -> None:
        """One clock for all connections: a tick a second, for pings, age and tokens."""
        while True:
            await asyncio.sleep(1)
            self.counts.stale_seconds += not self.is_whole
            for mailbox in list(self._mailboxes):
                mailbox.tick()


def _lifetime(caller: Caller) -> tuple[int, bool]:
    """Return how many seconds a stream may last, and whether it is the caller's token that ends it."""
    age = random.randint(*LIFETIME)  # noqa: S311 - jitter, no secret
    left = age if caller.expires is None else max(0, caller.expires - int(time.time()))
    return min(age, left), left < age
