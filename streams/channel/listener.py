"""Every channel asked for is heard, from whichever node owns it, or whoever listens is told that it is not.

One connection per node (streams/channel/subscriber.py). When one fails or a slot moves, the feed is broken until
every channel is confirmed where it belongs now; then whoever listens reads again what was missed.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.channel.nodes import Nodes
from streams.channel.slots import Node, SlotMap
from streams.channel.subscriber import Subscriber
from streams.errors import ChannelUnavailable

log = structlog.get_logger()

RETRY_AFTER = (0.1, 0.5)  # seconds, jittered: every api process lost the same Redis
LINGER = 5.0  # seconds that a channel stays subscribed after its last reader: many come back at once
LOOK_EVERY = 10.0  # seconds between two looks at who owns what, should no node have told of a change


class Listener:
    """The subscriber of one process.

    `hear(channel, message)` is called for every message, `told(whole)` when the feed breaks or mends.
    A forgotten channel stays subscribed for `linger` seconds, and `hear` is still called for it.
    """

    def __init__(
        self,
        redis: Redis,
        hear: Callable[[bytes, bytes], None],
        told: Callable[[bool], None],
        linger: float = LINGER,
    ) -> None:
        self.hear = hear
        self._linger = linger
        self.whole = False
        self.first_whole = asyncio.Event()
        self._nodes = Nodes(redis)
        self._told = told
        self._wanted: set[bytes] = set()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._places: dict[bytes, Subscriber] = {}  # where each channel is subscribed
        self._subscribers: dict[Node, Subscriber] = {}
        self._listening: dict[Subscriber, asyncio.Task[None]] = {}
        self._slot_map: SlotMap | None = None
        self._reason = ""  # why it is broken, as last logged
        self._misplacing = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    def listen(self, channel: bytes) -> None:
        """Start to hear a channel; heard() returns when that is so."""
        self._wanted.add(channel)
        if self._slot_map:
            self._place(channel, self._slot_map)

    def forget(self, channel: bytes) -> None:
        """Stop to hear a channel."""
        self._wanted.discard(channel)
        if waiting := self._waiting.pop(channel, None):
            _fail(waiting, "the channel was forgotten")
        if subscriber := self._places.pop(channel, None):
            subscriber.leave(channel)

    async def heard(self, channel: bytes) -> None:
        """Return once no later message of the channel can be missed; raises ChannelUnavailable while the feed is broken."""
        if not self.whole:
            raise ChannelUnavailable("the feed is broken")
        if not self._hears(channel):
            if channel not in self._waiting:
                self._waiting[channel] = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting[channel])

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                while True:
                    await self._place_all()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY):
                            await self._misplacing.wait()
                    if not self._misplacing.is_set():
                        self._nodes.invalidate()
                    await asyncio.sleep(random.uniform(*RETRY_AFTER))  # noqa: S311 - jitter, no secret
        finally:
            self._slot_map = None
            self._fail_waiting()
            await self._nodes.close()

    def confirmed(self, channel: bytes) -> None:
        """Wake whoever waits for a channel, if it is heard where it belongs: a node that was left may confirm it late."""
        if self._hears(channel) and (waiting := self._waiting.pop(channel, None)):
            waiting.set_result(None)
        self._mend()

    def misplaced(self, channel: bytes, *, was_heard: bool) -> None:
        """Find out where a channel belongs now; what was said of it meanwhile may be lost."""
        self._places.pop(channel, None)
        if was_heard:
            self._break("a slot moved")
            self._nodes.invalidate()
        self._misplacing.set()

    def _hears(self, channel: bytes) -> bool:
        subscriber = self._places.get(channel)
        return subscriber is not None and subscriber.channels.hears(channel)

    async def _place_all(self) -> None:
        """Bring every channel to the node that owns it."""
        self._misplacing.clear()
        try:
            slot_map = self._slot_map = await self._nodes.slot_map()
        except ChannelUnavailable as error:
            log.debug("nobody says who owns what", reason=str(error))
            self._misplacing.set()
            return
        for channel in list(self._wanted):
            self._place(channel, slot_map)
        self._end_idle()
        if not self._subscribers and slot_map.nodes:
            self._subscriber_at(slot_map.nodes[0])  # Nothing is wanted yet, but whether Redis is heard counts.
        self._mend()

    def _place(self, channel: bytes, slot_map: SlotMap) -> None:
        owner, place = slot_map.owner_of(channel), self._places.get(channel)
        if place and place.node == owner:
            return
        if place:
            del self._places[channel]
            if place.channels.hears(channel):
                self._break("a slot moved")
            place.drop(channel)
        if owner:
            self._places[channel] = self._subscriber_at(owner)
            self._places[channel].join(channel)
        else:
            self._nodes.invalidate()
            self._misplacing.set()

    def _subscriber_at(self, node: Node) -> Subscriber:
        if node not in self._subscribers:
            subscriber = self._subscribers[node] = Subscriber(self._nodes, node, self, self._linger)
            # Not in the context of the request that happened to need it first: it outlives that.
            self._listening[subscriber] = self._tasks.create_task(self._keep(subscriber), context=Context())
        return self._subscribers[node]

    def _end_idle(self) -> None:
        for node, subscriber in list(self._subscribers.items()):
            if subscriber.is_idle and len(self._subscribers) > 1:
                del self._subscribers[node]
                self._listening.pop(subscriber).cancel()

    async def _keep(self, subscriber: Subscriber) -> None:
        reason = ""
        try:
            await subscriber.run()
        except* (RedisError, OSError, ChannelUnavailable) as failed:
            reason = f"{subscriber.node}: {failed.exceptions[0]}"
        if self._listening.pop(subscriber, None) is None:
            return  # It was ended as idle, and failed at that moment.
        del self._subscribers[subscriber.node]
        for channel in subscriber.channels.wanted:
            self._places.pop(channel, None)
        self._nodes.invalidate()
        self._misplacing.set()
        self._break(reason)

    def _mend(self) -> None:
        if self.whole or len(self._places) < len(self._wanted) or not self._subscribers:
            return
        if all(subscriber.is_settled for subscriber in self._subscribers.values()):
            self.whole, self._reason = True, ""
            log.info("feed whole", nodes=[str(node) for node in self._subscribers])
            self.first_whole.set()
            self._told(True)

    def _break(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            log.warning("feed broken", reason=reason)
        self._fail_waiting()
        if self.whole:
            self.whole = False
            self._told(False)

    def _fail_waiting(self) -> None:
        for waiting in self._waiting.values():
            _fail(waiting, "the feed broke")
        self._waiting.clear()


def _fail(waiting: asyncio.Future[None], reason: str) -> None:
    waiting.set_exception(ChannelUnavailable(reason))
    waiting.exception()  # Whoever waited may be gone.
