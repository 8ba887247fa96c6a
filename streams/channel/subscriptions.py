"""What is subscribed on one connection, and what Redis has confirmed of it. Pure.

Commands and their answers pass each other on the way: a channel may be left and joined again before the
first answer comes. Redis answers in order, so every answer belongs to the oldest command without one;
only a cluster's node that gives up a slot unsubscribes on its own.
"""

from collections import deque
from itertools import count

from streams.errors import ChannelUnavailable

LEAVING = 0  # stands for an UNSUBSCRIBE among the serial numbers of the commands


class Subscriptions:
    """The channels wanted, asked for and heard; `linger` is how long one stays after it was left (seconds)."""

    def __init__(self, linger: float) -> None:
        self.wanted: set[bytes] = set()
        self._linger = linger
        self._lingering: dict[bytes, float] = {}  # since when, oldest first
        self._changed: set[bytes] = set()
        self._held: dict[bytes, int] = {}  # asked for, and the serial number of the command that did
        self._heard: set[bytes] = set()
        self._unanswered: deque[tuple[int, bytes]] = deque()
        self._serial = count(LEAVING + 1)

    def are_only(self, channel: bytes) -> bool:
        """Whether nothing else is wanted or lingers."""
        return len(self.wanted) == (channel in self.wanted) and not self._lingering

    @property
    def are_settled(self) -> bool:
        """Whether everything asked for is heard, and nothing is about to be asked for."""
        return not self._changed and len(self._heard) == len(self._held)

    def hears(self, channel: bytes) -> bool:
        """Whether no message of a wanted channel is missed from here on."""
        return channel in self._heard

    def join(self, channel: bytes) -> None:
        """Want a channel."""
        self.wanted.add(channel)
        self._lingering.pop(channel, None)
        self._changed.add(channel)

    def leave(self, channel: bytes, now: float) -> None:
        """Want a channel no more; it lingers."""
        self.wanted.discard(channel)
        self._lingering[channel] = now

    def drop(self, channel: bytes) -> None:
        """Want a channel no more; it does not linger."""
        self.wanted.discard(channel)
        self._lingering.pop(channel, None)
        self._changed.add(channel)

    def changes(self, now: float) -> tuple[list[bytes], list[bytes]]:
        """Return the channels to subscribe and then those to unsubscribe, in the order in which that must be sent."""
        self._end_lingering(now - self._linger)
        joining = [channel for channel in self._changed if channel in self.wanted and channel not in self._held]
        leaving = [channel for channel in self._changed if channel in self._held and channel not in self.wanted]
        self._changed.clear()
        for channel in joining:
            self._held[channel] = next(self._serial)
            self._unanswered.append((self._held[channel], channel))
        for channel in leaving:
            self._let_go(channel)
            self._unanswered.append((LEAVING, channel))
        return joining, leaving

    def confirmed(self, channel: bytes) -> bool:
        """Take Redis' word that a channel is subscribed; return whether it is heard now."""
        serial, expected = self._answered()
        if channel != expected:
            raise ChannelUnavailable("another channel was confirmed than the one asked for")
        if self._held.get(channel) != serial:
            return False  # It was left since; if it was joined again, that answer is still to come.
        self._heard.add(channel)
        return True

    def left(self, channel: bytes) -> bool:
        """Take Redis' word that a channel is not subscribed any more; return whether one that was heard is given up by that.

        Else that was asked for, or it is about a subscription before the one that is still to be confirmed.
        """
        if self._unanswered and self._unanswered[0] == (LEAVING, channel):
            self._unanswered.popleft()
            return False
        return channel in self._heard

    def refused(self) -> bytes | None:
        """Take an error; return the channel that cannot be joined here, None where it is not asked for any more."""
        serial, channel = self._answered()
        return channel if serial != LEAVING and self._held.get(channel) == serial else None

    def lost(self, channel: bytes) -> bool:
        """Give up a channel that Redis has given up; return whether it was wanted."""
        was_wanted = channel in self.wanted
        self.wanted.discard(channel)
        self._lingering.pop(channel, None)
        self._let_go(channel)
        return was_wanted

    def _let_go(self, channel: bytes) -> None:
        self._held.pop(channel, None)
        self._heard.discard(channel)

    def _end_lingering(self, until: float) -> None:
        while self._lingering and next(iter(self._lingering.values())) <= until:
            channel = next(iter(self._lingering))
            del self._lingering[channel]
            self._changed.add(channel)

    def _answered(self) -> tuple[int, bytes]:
        if not self._unanswered:
            raise ChannelUnavailable("an answer came to no command")
        return self._unanswered.popleft()
