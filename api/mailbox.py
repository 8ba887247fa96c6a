"""What waits for one connection: never a queue, only the newest state of each job that it watches."""

import asyncio
from collections.abc import Collection, Iterable

from api import frames
from api.frames import Event
from streams.state import State


class Mailbox:
    """The part that all connections share: being woken, notices, and the end."""

    __slots__ = ("_ending", "_notices", "_stale", "_waiting", "ended", "expires", "sent_at")

    def __init__(self, now: float, lifetime: float) -> None:
        self.sent_at = now  # loop time
        self.expires = now + lifetime
        self.ended = False
        self._ending = False
        self._stale = False  # to be told, after the states that came before
        self._notices = b""
        self._waiting: asyncio.Future[None] | None = None

    async def take(self) -> bytes:
        """Wait for something to send; `ended` says afterwards whether it is the last."""
        while not (waiting := self._collect()):
            if self._ending:
                self.ended = True
                return b""
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self.ended = self.ended or self._ending
        return waiting

    def stale(self) -> None:
        """Tell that nothing can be heard at the moment."""
        self._stale = True
        self._wake()

    def live(self) -> None:
        """Forget to tell what is over already."""
        self._stale = False

    def notice(self, frame: bytes) -> None:
        """Send a frame that is no state."""
        self._notices += frame
        self._wake()

    def end(self, farewell: bytes = b"") -> None:
        """Send what waits, then end the stream."""
        self._notices += farewell
        self._ending = True
        self._wake()

    def _collect(self) -> bytes:
        notices, self._notices = self._notices, b""
        stale, self._stale = self._stale, False
        return notices + frames.STALE if stale else notices

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)


class Slot(Mailbox):
    """A reader of one job."""

    __slots__ = ("_event", "_known")

    def __init__(self, now: float, lifetime: float, known_id: str) -> None:
        super().__init__(now, lifetime)
        self._event: Event | None = None
        self._known = known_id  # what the client told that it has seen last

    def put(self, event: Event) -> None:
        """Send this state unless a newer one comes first."""
        self._event = event
        self._wake()

    def open(self, event: Event) -> bool:
        """Begin with this state unless the client knows it; return whether there is anything to wait for."""
        if event.state.id == self._known:
            self._event = None
            return not event.state.is_last
        self.put(event)
        return True

    def _collect(self) -> bytes:
        event, self._event = self._event, None
        if event is None:
            return super()._collect()
        self.ended = event.state.is_last
        return event.of_one if self.ended else event.of_one + super()._collect()


class Slots(Mailbox):
    """A reader of all jobs of a user, or of those in some statuses."""

    __slots__ = ("_events", "_statuses")

    def __init__(self, now: float, lifetime: float, statuses: Collection[str]) -> None:
        super().__init__(now, lifetime)
        self._statuses = frozenset(statuses)
        self._events: dict[str, Event] = {}

    def put(self, event: Event) -> None:
        """Send this state behind what waits already, in place of an older one of the same job.

        Behind: positions must rise, or a connection that breaks in between would lose what it skipped.
        """
        self._events.pop(event.state.job_id, None)
        self._events[event.state.job_id] = event
        self._wake()

    def open(self, events: Iterable[Event], position: int | None) -> None:
        """Begin with these states, before what came meanwhile; then say that, and how far, all has been told."""
        meanwhile = self._events
        before = {event.state.job_id: event for event in sorted(events, key=lambda event: event.state.position)}
        self._events = {job_id: event for job_id, event in before.items() if job_id not in meanwhile} | meanwhile
        self.live()
        self.notice(frames.live(position))

    def wants(self, before: State | None, now: State) -> bool:
        """Whether a change is told: also when a job leaves the wanted statuses, or may have."""
        return not self._statuses or before is None or bool({before.status, now.status} & self._statuses)

    def opens_with(self, state: State) -> bool:
        """Whether a stream begins with this state: unfinished, and in the wanted statuses."""
        return not state.is_last and (not self._statuses or state.status in self._statuses)

    def _collect(self) -> bytes:
        events, self._events = self._events, {}
        return b"".join([event.of_all for event in events.values()]) + super()._collect()
