"""The push hub: one connection to Redis, and for each job watched here one state, the newest known.

A connection holds no history, only what it has not been sent yet (api/mailbox.py). Whether a state is
newer is decided once per job (api/audience.py); where that is unsure, one consistent read of the table
settles it. After the feed was broken, everything watched is read again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog
from redis.asyncio import Redis

from api.audience import Audience, Watch
from api.errors import JobNotFound
from api.frames import BYE, PING, position_of
from api.mailbox import Mailbox, Slot, Slots
from api.truth import Snapshot, Truth
from streams.errors import ChannelUnavailable, TableUnavailable
from streams.listener import Listener
from streams.message import state_from_message
from streams.state import deletion_of
from streams.table import BATCH

log = structlog.get_logger()

PING_EVERY = 15.0
LIFETIME = (480.0, 720.0)  # seconds: ten minutes, jittered, so that connections spread over processes
RESYNC_JITTER = 0.5
RESYNC_AGAIN = 1.0
FIRST_RESYNC = 60.0  # how far a process that has heard nothing yet looks back
SETTLE_AGAIN = 0.1


class Hub:
    """All streams of one process."""

    def __init__(self, redis: Redis, truth: Truth) -> None:
        self._truth = truth
        self._audiences: dict[bytes, Audience] = {}
        self._mailboxes: set[Mailbox] = set()
        self._listener = Listener(redis, self._hear, self._told)
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

    def drain(self) -> None:
        """End every stream, now and from now on: the process stops."""
        self._draining = True
        for mailbox in self._mailboxes:
            mailbox.end(BYE)

    @contextmanager
    def slot(self, user_id: str, job_id: str, last_event_id: str) -> Iterator[tuple[Watch, Slot]]:
        """Register a reader of one job; open_slot() fills it."""
        slot = Slot(self._now(), _lifetime(), last_event_id)
        with self._registered(user_id, slot) as audience:
            watch = audience.watch(job_id)
            watch.slots.add(slot)
            try:
                yield watch, slot
            finally:
                audience.leave(watch, slot)

    @contextmanager
    def slots(self, user_id: str, statuses: Collection[str]) -> Iterator[tuple[Audience, Slots]]:
        """Register a reader of all of a user's jobs; open_slots() fills it."""
        slots = Slots(self._now(), _lifetime(), statuses)
        with self._registered(user_id, slots) as audience:
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
        self._settle_soon(watch)
        if not self.is_whole:
            slot.stale()
        return slot.open(watch.event) if watch.event else True

    async def open_slots(self, audience: Audience, slots: Slots, last_event_id: str) -> None:
        """Read what is true now of all the user's jobs and hand it to the reader; raises TableUnavailable."""
        await self._heard(audience)
        snapshot = await self._truth.of_user(audience.user_id, position_of(last_event_id))
        self._hand_over(snapshot, audience, [slots])
        if not self.is_whole:
            slots.stale()

    @contextmanager
    def _registered(self, user_id: str, mailbox: Mailbox) -> Iterator[Audience]:
        audience = Audience(user_id)
        audience = self._audiences.setdefault(audience.channel, audience)
        self._listener.listen(audience.channel)
        self._mailboxes.add(mailbox)
        if self._draining:
            mailbox.end(BYE)
        try:
            yield audience
        finally:
            self._mailboxes.discard(mailbox)
            self._close_if_empty(audience)

    def _close_if_empty(self, audience: Audience) -> None:
        if audience.is_empty and self._audiences.get(audience.channel) is audience:
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
        self._position = max(self._position, state.position)
        if watch := audience.hear(state):
            self._settle_soon(watch)

    def _settle_soon(self, watch: Watch) -> None:
        if watch.doubtful and not watch.settling:
            watch.settling = True
            self._tasks.create_task(self._settle(watch))

    async def _settle(self, watch: Watch) -> None:
        while (asked := watch.doubtful) and watch.is_watched:
            shown = watch.event
            with suppress(TableUnavailable):
                truth = await self._truth.of_one(watch.audience.user_id, watch.job_id)
                watch.settle(truth or deletion_of(watch.job_id, asked.updated_at), shown, asked)
            if watch.doubtful:
                await asyncio.sleep(SETTLE_AGAIN)
        watch.settling = False

    def _told(self, whole: bool) -> None:
        if whole:
            self._tasks.create_task(self._resync())
        else:
            for mailbox in self._mailboxes:
                mailbox.stale()

    async def _resync(self) -> None:
        """Read again all that is watched: nobody knows what was published while the feed was broken."""
        since = self._position or int(time.time() - FIRST_RESYNC) * 1_000_000
        await asyncio.sleep(random.uniform(0, RESYNC_JITTER))  # noqa: S311 - jitter, no secret
        while self.is_whole:
            try:
                await self._reread_slots()
                await self._reread_boxes(since)
            except TableUnavailable as error:
                log.warning("resync waits", reason=str(error))
                await asyncio.sleep(RESYNC_AGAIN)
            else:
                return

    async def _reread_slots(self) -> None:
        watches = [w for audience in self._audiences.values() for w in audience.watches.values() if w.slots]
        for start in range(0, len(watches), BATCH):
            shown = {(w.audience.user_id, w.job_id): (w, w.event) for w in watches[start : start + BATCH]}
            truths = await self._truth.of_many(list(shown))
            for key, (watch, event) in shown.items():
                watch.believe(truths[key], event)
                self._settle_soon(watch)
                self._say_live(watch)

    def _say_live(self, watch: Watch) -> None:
        for slot in watch.slots:
            slot.live()
            if watch.event:
                slot.put(watch.event)

    async def _reread_boxes(self, since: int) -> None:
        for audience in list(self._audiences.values()):
            if boxes := list(audience.boxes):
                self._hand_over(await self._truth.of_user(audience.user_id, since), audience, boxes)

    def _hand_over(self, snapshot: Snapshot, audience: Audience, boxes: list[Slots]) -> None:
        watches = {state.job_id: audience.watch(state.job_id) for state in snapshot.states}
        for state in snapshot.states:
            watches[state.job_id].offer(state)
        for watch in watches.values():
            self._settle_soon(watch)
        events = [watch.event for watch in watches.values() if watch.event]
        for box in boxes:
            told = [event for event in events if event.state.job_id in snapshot.changed or box.opens_with(event.state)]
            box.open(told, snapshot.position)

    async def _keep_time(self) -> None:
        """One clock for all connections: pings, and the end of those that are old."""
        while True:
            await asyncio.sleep(1)
            now = self._now()
            for mailbox in self._mailboxes:
                if now >= mailbox.expires:
                    mailbox.end()
                elif now - mailbox.sent_at >= PING_EVERY:
                    mailbox.sent_at = now
                    mailbox.notice(PING)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _lifetime() -> float:
    return random.uniform(*LIFETIME)  # noqa: S311 - jitter, no secret
