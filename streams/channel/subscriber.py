"""The channels heard from one node, over one connection, and whether that node is heard at all.

Redis pub/sub tells nobody what was lost. So a probe of our own travels the whole way every 2 seconds,
and after 6 without one the node counts as silent, whatever its connection says.
"""

import asyncio
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from redis.exceptions import MovedError, RedisError

from streams.channel.connection import Line, connect
from streams.channel.nodes import Nodes
from streams.channel.routing import Command, execute
from streams.channel.slots import Node, SlotMap
from streams.channel.subscriptions import Subscriptions
from streams.errors import ChannelUnavailable, WrongServer

PROBE_EVERY = 2.0
BROKEN_AFTER = 6.0
LOOK_UP_EVERY = 5  # probes
PROBE_KEPT = 10  # seconds
CHUNK = 500  # channels named in one command

COMMANDS = {False: (b"SUBSCRIBE", b"UNSUBSCRIBE", b"PUBLISH"), True: (b"SSUBSCRIBE", b"SUNSUBSCRIBE", b"SPUBLISH")}
MESSAGES = frozenset({b"message", b"smessage"})
JOINED = frozenset({b"subscribe", b"ssubscribe"})


class Ears(Protocol):
    """Whoever listens."""

    def hear(self, channel: bytes, message: bytes) -> None:
        """Take a message, perhaps of a channel that was left a moment ago."""

    def confirmed(self, channel: bytes) -> None:
        """From now on no message of the channel is missed here."""

    def misplaced(self, channel: bytes, *, was_heard: bool) -> None:
        """The channel belongs to another node now."""


class Subscriber:
    """One connection to one node; what is asked for before it is connected is subscribed then."""

    def __init__(self, nodes: Nodes, node: Node, ears: Ears, linger: float) -> None:
        self.node = node
        self.channels = Subscriptions(linger)
        self._nodes = nodes
        self._ears = ears
        self._line: Line | None = None
        self._flushing = False
        self._probe = b""
        self._is_joined = asyncio.Event()  # the probe's channel
        self._is_proved = False  # a probe came back, which a server took that takes writes

    @property
    def is_idle(self) -> bool:
        """Whether nothing but its own probe is heard here."""
        return self.channels.are_only(self._probe)

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is heard, from a server that takes writes."""
        return self._is_proved and self.channels.hears(self._probe) and self.channels.are_settled

    def join(self, channel: bytes) -> None:
        """Want a channel."""
        self.channels.join(channel)
        self._flush_soon()

    def leave(self, channel: bytes) -> None:
        """Want a channel no more; it lingers."""
        self.channels.leave(channel, asyncio.get_running_loop().time())
        self._flush_soon()

    def drop(self, channel: bytes) -> None:
        """Leave a channel at once."""
        self.channels.drop(channel)
        self._flush_soon()

    async def run(self) -> None:
        """Listen until the node fails; raises RedisError, OSError or ChannelUnavailable then, in a group."""
        slot_map = await self._nodes.slot_map()
        self._subscribe, self._unsubscribe, self._publish = COMMANDS[slot_map.is_cluster]
        self._chunk = 1 if slot_map.is_cluster else CHUNK  # One command must name channels of one slot only.
        self._probe = _probe_at(self.node, slot_map)
        line = await connect(self._nodes.client(self.node), self._take)
        try:
            self._line = line
            self._probed = asyncio.get_running_loop().time()
            self._is_proved = False
            self._is_joined.clear()
            self.join(self._probe)
            self._flush()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_until_ended(line))
                tasks.create_task(self._send_probes())
                tasks.create_task(self._await_probes())
        finally:
            self._line = None
            await line.close()

    async def _send_probes(self) -> None:
        await self._is_joined.wait()  # or the first one would be missed
        for number in count(1):
            if number % LOOK_UP_EVERY == 0 and await self._nodes.has_moved():
                raise WrongServer(f"{self.node}: its name stands for another server now")
            self._flush_soon()  # Some may have lingered long enough.
            sent = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(PROBE_EVERY):
                    await self._send_probe()
            except WrongServer:
                raise
            except (ChannelUnavailable, TimeoutError):
                pass  # That it does not arrive is what counts.
            await asyncio.sleep(sent + PROBE_EVERY - asyncio.get_running_loop().time())

    async def _send_probe(self) -> None:
        """Send a probe through a server that takes writes; raises WrongServer where that is not the one listened to.

        A server that was demoted keeps its subscribers, and tells them what its primary tells it, if anything.
        """
        was_heard = self.channels.hears(self._probe)
        writing = Command(self._probe, ("SET", self._probe, b"", "EX", PROBE_KEPT))
        telling = Command(self._probe, (self._publish, self._probe, b""))
        await execute(self._nodes, [writing, telling])
        if telling.value == 0 and was_heard:
            raise WrongServer(f"{self.node}: the server that takes writes does not know this subscriber")

    async def _await_probes(self) -> None:
        while True:
            left = self._probed + BROKEN_AFTER - asyncio.get_running_loop().time()
            if left <= 0:
                raise ChannelUnavailable(f"no probe came back for {BROKEN_AFTER:.0f} s")
            await asyncio.sleep(left)

    def _flush_soon(self) -> None:
        """Subscribe and unsubscribe in a moment, together with whatever else changes now."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._line is None:
            return
        joining, leaving = self.channels.changes(asyncio.get_running_loop().time())
        for name, channels in ((self._subscribe, joining), (self._unsubscribe, leaving)):
            for start in range(0, len(channels), self._chunk):
                self._line.send(name, *channels[start : start + self._chunk])

    def _take(self, replies: list[Any]) -> None:
        hear, probe = self._ears.hear, self._probe
        for reply in replies:
            if isinstance(reply, RedisError):
                self._refused(reply)
                continue
            kind, channel, content = reply
            if kind not in MESSAGES:
                self._answered(kind, channel)
            elif channel != probe:
                hear(channel, content)
            else:
                self._probed = asyncio.get_running_loop().time()
                self._prove()

    def _prove(self) -> None:
        if not self._is_proved:
            self._is_proved = True
            self._ears.confirmed(self._probe)

    def _answered(self, kind: bytes, channel: bytes) -> None:
        if kind in JOINED:
            if self.channels.confirmed(channel):
                if channel == self._probe:
                    self._is_joined.set()
                self._ears.confirmed(channel)
        elif self.channels.left(channel):
            self._misplaced(channel)

    def _refused(self, reason: RedisError) -> None:
        if not isinstance(reason, MovedError):
            raise reason
        self._nodes.moved(reason)
        if channel := self.channels.refused():
            self._misplaced(channel)

    def _misplaced(self, channel: bytes) -> None:
        if channel == self._probe:
            raise ChannelUnavailable("the slot of the probe has moved")
        was_heard = self.channels.hears(channel)
        if self.channels.lost(channel):
            self._ears.misplaced(channel, was_heard=was_heard)


def _probe_at(node: Node, slot_map: SlotMap) -> bytes:
    """Return a channel of our own that this node owns; raises ChannelUnavailable where it owns nothing."""
    name = f"hw:probe:{uuid4().hex}"
    if not slot_map.is_cluster:
        return name.encode()
    if node not in slot_map.nodes:
        raise ChannelUnavailable(f"{node} owns no slot any more")
    return next(probe for n in count() if slot_map.owner_of(probe := f"{name}:{{{n}}}".encode()) == node)


async def _until_ended(line: Line) -> None:
    await line.ended
