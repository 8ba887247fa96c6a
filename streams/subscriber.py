"""The channels heard from one node, over one connection, and whether that node is heard at all.

Redis pub/sub tells nobody what was lost. So a probe of our own travels the whole way every 2 seconds,
and after 6 without one the node counts as silent, whatever its connection says.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, Protocol
from uuid import uuid4

from redis.exceptions import MovedError, RedisError

from streams.errors import ChannelUnavailable
from streams.layout import Layout, Node
from streams.line import Line, connect
from streams.nodes import Nodes
from streams.routing import Errand, run

PROBE_EVERY = 2.0
BROKEN_AFTER = 6.0
CHUNK = 500  # channels named in one command

COMMANDS = {False: (b"SUBSCRIBE", b"UNSUBSCRIBE", b"PUBLISH"), True: (b"SSUBSCRIBE", b"SUNSUBSCRIBE", b"SPUBLISH")}
MESSAGES = frozenset({b"message", b"smessage"})
JOINED = frozenset({b"subscribe", b"ssubscribe"})
LEFT = 0  # stands for an UNSUBSCRIBE among the serial numbers of what was sent


class Ears(Protocol):
    """Whoever listens."""

    def hear(self, channel: bytes, message: bytes) -> None:
        """Take a message."""

    def confirmed(self, subscriber: "Subscriber", channel: bytes) -> None:
        """From now on no message of the channel is missed here."""

    def misplaced(self, subscriber: "Subscriber", channel: bytes, *, was_heard: bool) -> None:
        """The channel belongs to another node now."""


class Subscriber:
    """The channels of one node; those that are asked for before it is connected are subscribed then."""

    def __init__(self, nodes: Nodes, node: Node, ears: Ears, linger: float) -> None:
        self.node = node
        self.wanted: set[bytes] = set()
        self._linger = linger
        self._nodes = nodes
        self._ears = ears
        self._line: Line | None = None
        self._flushing = False
        self._probe = b""
        self._dirty: set[bytes] = set()  # joined or left since the last commands
        self._lingering: dict[bytes, float] = {}  # since when, oldest first
        self._held: dict[bytes, int] = {}  # subscribed, and the serial number of the command that did
        self._confirmed: set[bytes] = set()
        self._sent: deque[tuple[int, bytes]] = deque()  # not answered yet; Redis answers in order
        self._serial = count(LEFT + 1)

    @property
    def is_idle(self) -> bool:
        """Whether nothing but its own probe is heard here."""
        return len(self.wanted) == (self._probe in self.wanted) and not self._lingering

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is heard."""
        return self._probe in self._confirmed and not self._dirty and len(self._confirmed) == len(self._held)

    def hears(self, channel: bytes) -> bool:
        """Whether no message of a wanted channel is missed."""
        return channel in self._confirmed

    def join(self, channel: bytes) -> None:
        """Want a channel."""
        self.wanted.add(channel)
        self._lingering.pop(channel, None)
        self._dirty.add(channel)
        self._flush_soon()

    def leave(self, channel: bytes) -> None:
        """Want a channel no more; it lingers, unheard."""
        self.wanted.discard(channel)
        self._lingering[channel] = asyncio.get_running_loop().time()
        self._flush_soon()

    def drop(self, channel: bytes) -> None:
        """Leave a channel at once."""
        self.wanted.discard(channel)
        self._lingering.pop(channel, None)
        self._dirty.add(channel)
        self._flush_soon()

    async def run(self) -> None:
        """Listen until the node fails; raises RedisError, OSError or ChannelUnavailable then, in a group."""
        layout = await self._nodes.layout()
        self._subscribe, self._unsubscribe, self._publish = COMMANDS[layout.is_cluster]
        self._chunk = 1 if layout.is_cluster else CHUNK  # One command must name channels of one slot only.
        self._probe = _probe_at(self.node, layout)
        line = await connect(self._nodes.client(self.node), self._take)
        try:
            self._line = line
            self._probed = asyncio.get_running_loop().time()
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
        while True:
            self._flush_soon()  # Some may have lingered long enough.
            sent = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(PROBE_EVERY):
                    await run(self._nodes, [Errand(self._probe, (self._publish, self._probe, b""))])
            except (ChannelUnavailable, TimeoutError):
                pass  # That it does not arrive is what counts.
            await asyncio.sleep(sent + PROBE_EVERY - asyncio.get_running_loop().time())

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
        self._end_lingering()
        joining = {channel for channel in self._dirty if channel in self.wanted and channel not in self._held}
        leaving = {channel for channel in self._dirty if channel in self._held and channel not in self.wanted}
        self._dirty.clear()
        for channel in joining:
            self._held[channel] = next(self._serial)
        for channel in leaving:
            del self._held[channel]
            self._confirmed.discard(channel)
        self._command(self._subscribe, joining)
        self._command(self._unsubscribe, leaving)

    def _end_lingering(self) -> None:
        """Unsubscribe what nobody came back to."""
        until = asyncio.get_running_loop().time() - self._linger
        while self._lingering and next(iter(self._lingering.values())) <= until:
            channel = next(iter(self._lingering))
            del self._lingering[channel]
            self._dirty.add(channel)

    def _command(self, name: bytes, channels: set[bytes]) -> None:
        assert self._line  # noqa: S101 - _flush looked
        for chunk in _chunks(channels, self._chunk):
            self._sent.extend((self._held.get(channel, LEFT), channel) for channel in chunk)
            self._line.send(name, *chunk)

    def _take(self, reply: Any) -> None:
        if isinstance(reply, RedisError):
            self._refused(reply)
            return
        kind, channel, content = reply
        if kind in MESSAGES:
            self._hear(channel, content)
        elif kind in JOINED:
            self._confirm(channel)
        else:
            self._left(channel)

    def _hear(self, channel: bytes, message: bytes) -> None:
        if channel == self._probe:
            self._probed = asyncio.get_running_loop().time()
        elif channel in self.wanted:
            self._ears.hear(channel, message)

    def _confirm(self, channel: bytes) -> None:
        serial, expected = self._answered()
        if channel != expected:
            raise ChannelUnavailable(f"{channel!r} was confirmed, {expected!r} was asked for")
        if self._held.get(channel) == serial:  # Otherwise it was left since, and perhaps joined again.
            self._confirmed.add(channel)
            self._ears.confirmed(self, channel)

    def _left(self, channel: bytes) -> None:
        if self._sent and self._sent[0] == (LEFT, channel):
            self._sent.popleft()
            return
        # Nobody asked for it: a cluster's node pushes out the channels of a slot that has moved.
        if channel == self._probe:
            raise ChannelUnavailable("the slot of the probe has moved")
        self._misplaced(channel)

    def _refused(self, reason: RedisError) -> None:
        serial, channel = self._answered()
        if not isinstance(reason, MovedError) or channel == self._probe:
            raise reason
        self._nodes.moved(reason)
        if self._held.get(channel) == serial:
            self._misplaced(channel)

    def _misplaced(self, channel: bytes) -> None:
        was_heard = channel in self._confirmed
        self._held.pop(channel, None)
        self._confirmed.discard(channel)
        self._lingering.pop(channel, None)
        if channel in self.wanted:
            self.wanted.discard(channel)
            self._ears.misplaced(self, channel, was_heard=was_heard)

    def _answered(self) -> tuple[int, bytes]:
        if not self._sent:
            raise ChannelUnavailable("an answer came to no command")
        return self._sent.popleft()


def _probe_at(node: Node, layout: Layout) -> bytes:
    """Return a channel of our own that this node owns; raises ChannelUnavailable where it owns nothing."""
    name = f"hw:probe:{uuid4().hex}"
    if not layout.is_cluster:
        return name.encode()
    if node not in layout.nodes:
        raise ChannelUnavailable(f"{node} owns no slot any more")
    return next(probe for n in count() if layout.owner_of(probe := f"{name}:{{{n}}}".encode()) == node)


async def _until_ended(line: Line) -> None:
    await line.ended


def _chunks(channels: set[bytes], size: int) -> Iterator[list[bytes]]:
    iterator = iter(channels)
    while chunk := list(islice(iterator, size)):
        yield chunk
