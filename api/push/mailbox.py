"""What waits for one connection: never a queue, only the newest state of each job that it watches.

A mailbox does no I/O. It rings when there is something to take; whoever sends takes it when it can. The
hub's one clock looks at it when something is due.
"""

import random
from collections.abc import Collection, Iterable
from typing import Protocol

from msgspec import Struct

from api.push import frames
from api.push.cause import Cause
from api.push.clock import Clock
from api.push.frames import Event
from streams.jobs.state import State

PING_EVERY = 15  # seconds without anything else
WARN_BEFORE = 30  # seconds before a token ends
BLOCKED_FOR = 5  # seconds that a client may refuse to read
NEVER = 2**62  # seconds


class Sender(Protocol):
    """Whoever sends what is in a mailbox."""

    def ring(self) -> None:
        """There is something to take."""

    def cut(self) -> None:
        """Drop the connection: its client does not read."""


class Staleness(Struct):
    """Why, and for how long, what is shown may be old: JSON. One for all readers of a process; the hub keeps it current."""

    data: bytes = b"{}"


UNTOLD = Staleness()


class Mailbox:
    """The part that all connections share: ringing, notices, time, and the end."""

    __slots__ = (
        "_clock",
        "_cut_at",
        "_due",
        "_is_stale",
        "_is_stale_due",
        "_notices",
        "_over",
        "_over_at",
        "_sent_at",
        "_warn_at",
        "cause",
        "conflated",
        "ended",
        "ending",
        "is_blocked",
        "sender",
        "sent",
        "staleness",
    )

    def __init__(self, clock: Clock, lifetime: int, *, is_token: bool = False) -> None:
        """`lifetime` is in seconds; `is_token` says that it is the caller's token that ends then."""
        self.sender: Sender | None = None  # nobody yet, or any more
        self.is_blocked = False  # nothing can be sent now
        self.conflated = 0  # states that a newer one replaced before they were taken
        self.sent = 0  # how often something was taken
        self.cause: Cause | None = None  # of the end, once there is one
        self.ending = False
        self.ended = False
        self.staleness = UNTOLD
        self._is_stale = False  # until live(); told behind every state, which by itself would say that all is well
        self._is_stale_due = False
        self._notices = b""
        self._clock = clock
        self._over = Cause.EXPIRED if is_token else Cause.AGE
        self._over_at = clock.now + lifetime
        self._warn_at = self._over_at - WARN_BEFORE if is_token else NEVER
        self._cut_at = NEVER
        self._sent_at = clock.now - random.randrange(PING_EVERY)  # noqa: S311 - jitter: who came together pings apart
        self._due = NEVER
        self._wait()

    def take(self) -> bytes:
        """Return what waits to be sent; `ended` says afterwards that the stream ends behind it."""
        waiting = self._states()
        if waiting and self._is_stale:
            self._is_stale_due = True
        if (self._notices or self._is_stale_due) and not self.ended:
            waiting += self._words()
        if self.ending or self.ended:
            self.ended = True
            self._cut_soon()
        if waiting:
            self.sent += 1
            self._sent_at = self._clock.now
        return waiting

    def look(self) -> None:
        """Do what is due; the clock calls this."""
        now = self._clock.now
        if self._cut_at <= now:
            self._because(Cause.SEND_TIMEOUT)
            self.cut()
            return
        if self._over_at <= now:
            self._over_at = NEVER
            self.end(self._over)
        elif self._warn_at <= now:
            self._warn_at = NEVER  # said once
            self.notice(frames.EXPIRING)
        elif self._sent_at + PING_EVERY <= now:
            self._sent_at = now  # or will be, or the client is cut
            self.notice(frames.PING)
        self._wait()

    def block(self) -> None:
        """Send nothing from now on: the client does not keep up. It is cut if that lasts."""
        self.is_blocked = True
        self._cut_soon()

    def unblock(self) -> None:
        """Send again."""
        self.is_blocked = False
        if not self.ended:
            self._cut_at = NEVER

    def stale(self) -> None:
        """Tell that what is shown may be old, now and behind every state until live()."""
        self._is_stale = self._is_stale_due = True
        self.ring()

    def live(self) -> None:
        """Tell it no longer; the next state says that all is well."""
        self._is_stale = self._is_stale_due = False

    def notice(self, frame: bytes) -> None:
        """Send a frame that is no state."""
        self._notices += frame
        self.ring()

    def end(self, cause: Cause, farewell: bytes = b"") -> None:
        """Send what waits, then end the stream."""
        self._because(cause)
        self._notices += farewell
        self.ending = True
        self.ring()

    def close(self) -> None:
        """Forget who sends: nobody is there any more."""
        self._because(Cause.CLIENT_LEFT)
        self.ended = True
        self.sender = None
        self._clock.leave(self, self._due)

    def ring(self) -> None:
        """Say that there is something to take."""
        if self.sender:
            self.sender.ring()

    def cut(self) -> None:
        """Drop the connection."""
        if self.sender:
            self.sender.cut()

    @property
    def job_id(self) -> str | None:
        """The one job that this is about, None for all jobs of a user."""
        return None

    def _because(self, cause: Cause) -> None:
        self.cause = self.cause or cause

    def _cut_soon(self) -> None:
        if self._cut_at == NEVER:
            self._cut_at = self._clock.now + BLOCKED_FOR
            self._wait()

    def _wait(self) -> None:
        """Be looked at when the next thing is due."""
        self._clock.leave(self, self._due)
        due = min(self._cut_at, self._over_at, self._warn_at, self._sent_at + PING_EVERY)
        self._due = max(due, self._clock.now + 1)
        self._clock.look_at(self, self._due)

    def _states(self) -> bytes:
        return b""

    def _words(self) -> bytes:
        notices, self._notices = self._notices, b""
        is_due, self._is_stale_due = self._is_stale_due, False
        return notices + self._stale_frame() if is_due else notices

    def _stale_frame(self) -> bytes:
        return frames.stale(self.staleness.data)


class JobMailbox(Mailbox):
    """The mailbox of a reader of one job."""

    __slots__ = ("_event", "_job_id", "_known")

    def __init__(self, job_id: str, clock: Clock, lifetime: int, known_id: str, *, is_token: bool = False) -> None:
        super().__init__(clock, lifetime, is_token=is_token)
        self._job_id = job_id
        self._event: Event | None = None
        self._known = known_id  # what the client told that it has seen last

    @property
    def job_id(self) -> str:
        """The job."""
        return self._job_id

    def put(self, event: Event) -> None:
        """Send this state unless a newer one comes first."""
        before, self._event = self._event, event
        if before:
            self.conflated += 1
        elif self.sender:
            self.sender.ring()

    def open(self, event: Event) -> bool:
        """Begin with this state unless the client knows it; return whether there is anything to wait for."""
        if self._known and event.state.has_id(self._known):
            self._event = None
            return not event.state.is_last
        self.put(event)
        return True

    def _states(self) -> bytes:
        event, self._event = self._event, None
        if event is None:
            return b""
        if (kind := event.state.kind) != "update":
            self._because(Cause.DELETED if kind == "deleted" else Cause.DONE)
            self.ended = True
        return event.of_one


class UserMailbox(Mailbox):
    """The mailbox of a reader of all jobs of a user, or of those in some statuses.

    `since` is the position up to which its client was told on earlier connections, None where there were none.
    """

    __slots__ = (
        "_events",
        "_missing_since",
        "_opened_at",
        "_statuses",
        "is_open",
        "lacks_position",
        "since",
    )

    def __init__(self, clock: Clock, lifetime: int, statuses: Collection[str], *, is_token: bool = False) -> None:
        super().__init__(clock, lifetime, is_token=is_token)
        self.is_open = False
        self.since: int | None = None
        self.lacks_position = True  # what changed since then was not told
        self._opened_at = 0  # the position up to which the opening told everything
        self._missing_since: int | None = None  # to be told with the next `stale`
        self._statuses = frozenset(statuses)
        self._events: dict[str, Event] = {}

    def put(self, event: Event) -> None:
        """Send this state behind what waits already, in place of an older one of the same job.

        Behind: positions must rise, or a connection that breaks in between would lose what it skipped.
        """
        self.conflated += self._events.pop(event.state.job_id, None) is not None
        self._events[event.state.job_id] = event
        self.ring()

    def tell(self, before: State | None, event: Event) -> None:
        """Take a change of a job if it is wanted.

        A job that waits to be told is always replaced: an older state must not be sent in its place.
        """
        if event.state.job_id in self._events:
            self.put(event)
        elif before is None and self.is_open and self._is_past(event.state, self._opened_at):
            return  # Somebody else asks for a job that was over when this reader came.
        elif self.wants(before, event.state):
            self.put(event)

    def open(self, events: Iterable[Event], position: int | None, missing_since: int | None = None) -> None:
        """Begin with these states, before what came meanwhile; then say that, and how far, all has been told.

        Without a position the feed is broken, and what is said is that: a new client learns from which position on it
        has to be told when it comes back.
        """
        self.lacks_position = position is None
        if not self.is_open:
            self._opened_at = position or 0
            self._missing_since = missing_since if self.since is None and position is None else None
        meanwhile = self._news()
        before = {event.state.job_id: event for event in sorted(events, key=lambda event: event.state.position)}
        self._events = {job_id: event for job_id, event in before.items() if job_id not in meanwhile} | meanwhile
        self.is_open = True
        self.live()
        if position is None:
            self.stale()
        else:
            self.notice(frames.live(position))

    @property
    def heard_while_opening(self) -> Collection[str]:
        """The jobs that changed before this reader was open; a new client has seen nothing that could be newer."""
        return () if self.is_open or self.since is None else list(self._events)

    def _news(self) -> dict[str, Event]:
        """Return what waits, of an opening reader without the jobs that were over when it came, or that it was told of."""
        if self.is_open:
            return self._events
        until = self._opened_at if self.since is None else self.since
        return {job_id: event for job_id, event in self._events.items() if not self._is_past(event.state, until)}

    @staticmethod
    def _is_past(state: State, until: int) -> bool:
        return state.is_last and 0 < state.position <= until

    def wants(self, before: State | None, now: State) -> bool:
        """Whether a change is told: also when a job leaves the wanted statuses, or may have."""
        return not self._statuses or before is None or bool({before.status, now.status} & self._statuses)

    def opens_with(self, state: State) -> bool:
        """Whether a stream begins with this state: unfinished, and in the wanted statuses."""
        return not state.is_last and (not self._statuses or state.status in self._statuses)

    def _stale_frame(self) -> bytes:
        since, self._missing_since = self._missing_since, None
        return frames.stale(self.staleness.data, since)

    def _states(self) -> bytes:
        events, self._events = self._events, {}
        return b"".join([event.of_all for event in events.values()])
