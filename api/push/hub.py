"""The push hub: one connection to Redis, and for each job watched here one state, the newest known.

A connection holds no history, only what it has not been sent yet (api/push/mailbox.py). Whether a state is
newer is decided once per job (api/push/audience.py); where that is unsure, one consistent read of the table
settles it. After the feed was broken, everything watched is read again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct, json
from redis.asyncio import Redis

from api.auth.callers import Caller
from api.errors import TooManyStreams
from api.push.audience import Audience, JobSubscription, UserSubscription
from api.push.cause import Cause
from api.push.clock import Clock
from api.push.feed import Feed
from api.push.frames import BYE, position_of
from api.push.mailbox import JobMailbox, Mailbox, Staleness, UserMailbox
from api.push.metrics import Counts
from api.push.reader import StateReader
from api.push.reconcile import PASSING, Reconciler
from api.push.stream import Outbox
from streams.channel.channel import channel_of
from streams.channel.heartbeat import Health
from streams.channel.message import state_from_message
from streams.errors import ChannelUnavailable
from streams.retry import Backoff, retry

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces

log = structlog.get_logger()

LIFETIME = (480, 720)  # seconds: ten minutes, jittered, so that connections spread over processes
DRAIN_WITHIN = 0.4  # seconds that a reader has to take its last frames
DRAIN_LOOKS = 20
RESYNC_JITTER = 0.5
READ_AGAIN = Backoff(None, first=1.0, longest=5.0)  # without end: until it succeeds, the streams are stale
POLL_EVERY = 3.0  # seconds between two rounds of reading while nothing is heard
LOOK_BACK = 70.0  # seconds before a break was noticed: the noticing itself, and clocks that differ by a minute
TELL_RELAYS_EVERY = 2  # seconds; that somebody watches here
WATCHED_FOR = 6  # seconds for which relays believe it
SLOW = "redis_slow"  # it did not confirm in time that this user's channel is heard
HEARD_WITHIN = 1.0  # seconds that a reader waits for Redis before it is told what the table says


class Limits(Struct, frozen=True):
    """How many streams may be open."""

    per_user: int
    per_process: int


class Hub:
    """All streams of one process."""

    def __init__(
        self,
        redis: Redis,
        reader: StateReader,
        limits: Limits,
        traces: "Traces | None" = None,
        relayed_table: str | None = None,
    ) -> None:
        """`relayed_table` names the table whose relays tell that they live; None where they do not (a Lambda function)."""
        self.counts = Counts()
        self.outbox = Outbox()
        self._channel = reader.channel
        reader.has_redis = lambda: self._feed.has_redis
        reader.is_late = lambda: not self._feed.is_whole
        self._limits = limits
        self._traces = traces
        self._audiences: dict[bytes, Audience] = {}
        self._mailboxes: set[Mailbox] = set()
        self._late: set[Audience] = set()  # those whose channel could not be subscribed in time
        self._clock = Clock()
        self._published: list[int] = []  # the positions of what was heard, and perhaps not written yet
        self._feed = Feed(redis, reader.channel, relayed_table, self._hear, self._told)
        self._listener = self._feed.listener
        self._staleness = Staleness()
        self._is_telling_relays = False
        self._reconciler = Reconciler(reader, self.spawn)
        self._repair: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._running: set[asyncio.Task[None]] = set()
        self._missing_since = time.time() - LOOK_BACK  # Unix seconds; what was published since may not have been heard
        self._draining = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hub"]:
        """Listen and keep time until left."""
        async with asyncio.TaskGroup() as self._tasks:
            self.spawn(self._feed.run())
            self.spawn(self._keep_time())
            self._repair = self.spawn(self._poll())  # Until Redis is heard for the first time.
            try:
                yield self
            finally:
                for task in self._running:
                    task.cancel()

    @property
    def is_whole(self) -> bool:
        """Whether everything that is written to the table is heard here, as far as is known."""
        return self._feed.is_whole

    @property
    def health(self) -> Health:
        """Whether the feed is whole, and if not, why."""
        return self._feed.health

    async def until_whole(self, seconds: float) -> None:
        """Return when the feed is whole, or after some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._feed.first_whole.wait()

    @property
    def streams(self) -> Collection[Mailbox]:
        """The open streams."""
        return self._mailboxes

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that the hub owns, and ends with itself."""
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def drain(self) -> None:
        """End every stream, now and from now on: the process stops. Who does not read is cut a moment later."""
        self._draining = True
        for mailbox in list(self._mailboxes):
            mailbox.end(Cause.SHUTDOWN, BYE)
        for _ in range(DRAIN_LOOKS):
            if not self._mailboxes:
                return
            await asyncio.sleep(DRAIN_WITHIN / DRAIN_LOOKS)
        for mailbox in list(self._mailboxes):
            mailbox.cut()

    def join(self, caller: Caller, job_id: str, last_event_id: str) -> JobSubscription:
        """Register a reader of one job until leave(); open() fills its mailbox. Raises TooManyStreams."""
        audience = self._admit(caller.user_id)
        lifetime, is_token = _lifetime(caller)
        mailbox = JobMailbox(job_id, self._clock, lifetime, last_event_id, is_token=is_token)
        watch = audience.watch(job_id)
        watch.join(mailbox)
        self._add(mailbox)
        return JobSubscription(watch, mailbox)

    def join_all(self, caller: Caller, statuses: Collection[str]) -> UserSubscription:
        """Register a reader of all of a user's jobs until leave_all(); open_all() fills its mailbox. Raises TooManyStreams."""
        audience = self._admit(caller.user_id)
        lifetime, is_token = _lifetime(caller)
        mailbox = UserMailbox(self._clock, lifetime, statuses, is_token=is_token)
        audience.join_all(mailbox)
        self._add(mailbox)
        return UserSubscription(audience, mailbox)

    def leave(self, reader: JobSubscription) -> None:
        """Take a reader of one job out."""
        audience = reader.watch.audience
        audience.leave(reader.watch, reader.mailbox)
        self._remove(reader.mailbox, audience)

    def leave_all(self, reader: UserSubscription) -> None:
        """Take a reader of all jobs out."""
        reader.audience.leave_all(reader.mailbox)
        self._remove(reader.mailbox, reader.audience)

    async def open(self, reader: JobSubscription) -> bool:
        """Read the job's state now and hand it to the reader; return False if it knows already, and nothing will follow.

        Raises JobNotFound where the job does not exist or is someone else's, TableUnavailable.
        """
        is_heard = await self._heard(reader.watch.audience)
        is_news = await self._reconciler.open(reader)
        if not (is_heard and self.is_whole):
            self._say_stale(reader.mailbox, reader.watch.audience, is_heard=is_heard)
        return is_news

    async def open_all(self, reader: UserSubscription, last_event_id: str) -> None:
        """Read the state of all the user's jobs now and hand them to the reader; raises TableUnavailable."""
        is_heard = await self._heard(reader.audience)
        last = position_of(last_event_id)
        is_all = await self._reconciler.open_all(reader, last, self._since(), is_heard=is_heard)
        if not (is_all and self.is_whole):
            self._say_stale(reader.mailbox, reader.audience, is_heard=is_heard and is_all)

    def _admit(self, user_id: str) -> Audience:
        channel = channel_of(user_id)
        audience = self._audiences.get(channel)
        self._refuse_too_many(audience)
        if audience is None:
            audience = self._audiences[channel] = Audience(user_id, channel, self._traces)
            self._listener.listen(channel)
            if not self.is_whole:
                audience.miss(self._since())
        audience.streams += 1
        return audience

    def _add(self, mailbox: Mailbox) -> None:
        mailbox.staleness = self._staleness
        self._mailboxes.add(mailbox)
        if len(self._mailboxes) == 1:
            self._tell_relays()
        if self._draining:
            mailbox.end(Cause.SHUTDOWN, BYE)

    def _remove(self, mailbox: Mailbox, audience: Audience) -> None:
        mailbox.close()
        self._mailboxes.discard(mailbox)
        self.counts.frames += mailbox.sent
        self.counts.conflated += mailbox.conflated
        audience.streams -= 1
        if not audience.streams:
            del self._audiences[audience.channel]
            self._listener.forget(audience.channel)

    def _refuse_too_many(self, audience: Audience | None) -> None:
        if audience and audience.streams >= self._limits.per_user:
            raise TooManyStreams(
                f"so many streams of yours are open here already: {audience.streams}; close one", of_user=True
            )
        if len(self._mailboxes) >= self._limits.per_process:
            raise TooManyStreams("too many streams are open here; another process may have room", of_user=False)

    def _say_stale(self, mailbox: Mailbox, audience: Audience, *, is_heard: bool) -> None:
        mailbox.stale()
        audience.miss(self._since())
        # Redis is slow, not away: no mending of all will come.
        if self._feed.has_redis and not is_heard and audience not in self._late:
            self._late.add(audience)
            self.spawn(self._hear_late(audience))

    async def _heard(self, audience: Audience) -> bool:
        """Return whether everything of this user is heard from now on; if not, the reader is told what the table says."""
        with suppress(ChannelUnavailable, TimeoutError):
            async with asyncio.timeout(HEARD_WITHIN):
                await self._listener.heard(audience.channel)
                return True
        return False

    def _hear(self, channel: bytes, message: bytes) -> None:
        audience = self._audiences.get(channel)
        if audience is None:
            return  # All its readers left a moment ago.
        try:
            state = state_from_message(message)
        except ValueError as error:
            log.error("message refused", reason=str(error))  # noqa: TRY400 - whose it is, is personal
            return
        if watch := audience.hear(state):
            self._reconciler.settle_soon(watch)
        if not self._published:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._note)  # behind the outbox, which may be asked after this
        self._published.append(state.position)

    def _note(self) -> None:
        """Note how long it took until everything that came in one piece was written."""
        published, self._published = self._published, []
        self.counts.took(published, int(time.time() * 1_000_000))

    def _told(self, health: Health) -> None:
        if self._repair:
            self._repair.cancel()
        if not health.is_whole:
            self._refresh_staleness()
            self._missing_since = min(self._missing_since, time.time() - health.behind - LOOK_BACK)
            for audience in self._audiences.values():
                audience.miss(self._since())
            for mailbox in list(self._mailboxes):
                mailbox.stale()
        self._repair = self.spawn(self._mend() if health.is_whole else self._poll())

    async def _mend(self) -> None:
        """Read again all that is watched: nobody knows what was published while the feed was broken."""
        if self._mailboxes:
            self.counts.resyncs += 1
            await asyncio.sleep(random.uniform(0, RESYNC_JITTER))  # noqa: S311 - jitter, no secret
            await self._persist(lambda: self._reconciler.mend(list(self._audiences.values()), self._since()))
        self._missing_since = inf

    async def _poll(self) -> None:
        """While the feed is broken, let bars move by the table, slower."""
        while True:
            await asyncio.sleep(POLL_EVERY)
            await self._persist(lambda: self._reconciler.poll(list(self._audiences.values())))

    async def _hear_late(self, audience: Audience) -> None:
        """Tell readers of one user what they missed before Redis let them listen."""
        since = int(time.time() - LOOK_BACK) * 1_000_000
        with suppress(ChannelUnavailable):  # Then all is read again when the feed is back.
            try:
                await self._listener.heard(audience.channel)
            finally:
                self._late.discard(audience)  # Before reading: who is told `stale` from here on needs another reading.
            await self._persist(lambda: self._reconciler.mend([audience], since))
            if not self.is_whole:  # It broke meanwhile, and was said to be live all the same.
                audience.miss(self._since())
                for mailbox in audience.readers:
                    mailbox.stale()

    def _since(self) -> int:
        return int(min(self._missing_since, time.time() - LOOK_BACK)) * 1_000_000

    @staticmethod
    async def _persist(read: Callable[[], Awaitable[None]]) -> None:
        await retry("reread", read, PASSING, READ_AGAIN)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.counts.stale_seconds += not self.is_whole
            self._refresh_staleness()
            self._clock.tick()
            if self._mailboxes and self._clock.now % TELL_RELAYS_EVERY == 0:
                self._tell_relays()

    def _refresh_staleness(self) -> None:
        health = self.health
        told = {"reason": health.reason or SLOW, "behind_seconds": round(health.behind)}
        self._staleness.data = json.encode(told)

    def _tell_relays(self) -> None:
        """Have the relays look often at shards that are idle, for somebody watches."""
        if self._feed.has_redis and not self._is_telling_relays:
            self._is_telling_relays = True
            self.spawn(self._tell_watched())

    async def _tell_watched(self) -> None:
        try:
            with suppress(ChannelUnavailable):
                await self._channel.tell_watched(WATCHED_FOR)
        finally:
            self._is_telling_relays = False


def _lifetime(caller: Caller) -> tuple[int, bool]:
    """Return how many seconds a stream may last, and whether it is the caller's token that ends it."""
    age = random.randint(*LIFETIME)  # noqa: S311 - jitter, no secret
    left = age if caller.expires is None else max(0, caller.expires - int(time.time()))
    return min(age, left), left < age
