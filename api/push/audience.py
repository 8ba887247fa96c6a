"""Who watches what on this process, and the one state of each watched job. No I/O."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from api.push.frames import Event
from api.push.mailbox import JobMailbox, Mailbox, UserMailbox
from api.push.trace import Push
from streams.jobs.state import State, order

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces

T = TypeVar("T")

FORGET_ABOVE = 2000  # jobs of one user; finished ones that nobody watches by themselves are forgotten then


class Watch:
    """One job as this process knows it: the newest state, and what may be newer still."""

    __slots__ = ("audience", "doubtful", "event", "job_id", "mailboxes", "settling")

    def __init__(self, audience: "Audience", job_id: str) -> None:
        self.audience = audience
        self.job_id = job_id
        self.event: Event | None = None
        self.doubtful: State | None = None  # waits for a consistent read
        self.settling = False
        self.mailboxes: tuple[
            JobMailbox, ...
        ] = ()  # replaced, not changed: most have one, and a tuple is the least to look at

    @property
    def is_watched(self) -> bool:
        """Whether anybody is told of this job."""
        return not self.is_forgotten and bool(self.mailboxes or self.audience.mailboxes)

    @property
    def is_forgotten(self) -> bool:
        """Whether nobody asked for it any more."""
        return self.audience.watches.get(self.job_id) is not self

    @property
    def is_unfinished(self) -> bool:
        """Whether something is shown, and more is expected."""
        return self.event is not None and not self.event.state.is_last

    def join(self, mailbox: JobMailbox) -> None:
        """Add a reader."""
        self.mailboxes = (*self.mailboxes, mailbox)

    def leave(self, mailbox: JobMailbox) -> None:
        """Take a reader out."""
        self.mailboxes = _without(mailbox, self.mailboxes)

    def offer(self, state: State) -> None:
        """Show a state if it is newer; where that is unsure, `doubtful` holds it until settle()."""
        if self.event is None:
            self.show(state)
            return
        match order(state, self.event.state):
            case "newer":
                self.show(state)
            case "same":
                self._adopt(state)
            case "unsure":
                self._doubt(state)

    def believe(self, read: State, shown: Event | None) -> None:
        """Take the result of a consistent read that began when `shown` was shown: it is not older than that."""
        if self.is_forgotten:
            return  # Another watch tells of this job by now, and may know better.
        if shown and self.event is not shown and read.data == shown.state.data:
            return  # It is what was shown before; what came since is newer.
        if self.event is not shown or shown is None:
            self.offer(read)
        elif read.data != shown.state.data:
            self.show(read)
        else:
            self._adopt(read)

    def settle(self, read: State, shown: Event | None, asked: State) -> None:
        """Decide a doubt by a consistent read that began after `asked`; `doubtful` stays where that was too early."""
        if self.event is shown and self.doubtful is asked and not self.is_forgotten:
            self._believe_settled(asked if asked.data == read.data else read, shown)

    def _believe_settled(self, read: State, shown: Event | None) -> None:
        self._certain()
        if shown is None or read.data != shown.state.data:
            self.show(read)
        else:
            self._adopt(read)

    def show(self, state: State) -> None:
        """Make this the state of the job, and tell all who watch it.

        What was in doubt may be newer than this, too: versions say at once, or it stays in doubt.
        """
        held = self.doubtful
        if held is None:
            self._tell(state)
            return
        self._certain()
        self._tell(state)
        if held.version:
            self.offer(held)
        elif not state.version and held.data != state.data:
            self._doubt(held)

    def _tell(self, state: State) -> None:
        before, mailboxes, audience = self.event, self.mailboxes, self.audience
        user_mailboxes = audience.mailboxes
        is_held_back = audience.doubts or audience.missing_since is not None
        told = audience.told_up_to(state.position) if is_held_back else state.position
        event = self.event = Event(state, told, len(mailboxes) > 1 or len(user_mailboxes) > 1)
        for mailbox in mailboxes:
            mailbox.put(event)
        for user_mailbox in user_mailboxes:
            user_mailbox.tell(before.state if before else None, event)

    def _adopt(self, state: State) -> None:
        """Learn the version of what is shown already; by it, what is in doubt may be newer after all."""
        if self.event and state.version and not self.event.state.version:
            held = self.doubtful
            self._certain()
            self.event = Event(state, self.audience.told_up_to(state.position))
            if held:
                self.offer(held)

    def _doubt(self, state: State) -> None:
        held = self.doubtful
        if held and held.data == state.data and (not state.version or state.version == held.version):
            return  # It is in doubt already, and perhaps being asked about.
        if held is None or not (held.version and state.version) or state.version > held.version:
            self.doubtful = state
            self.audience.doubt(self)

    def _certain(self) -> None:
        self.doubtful = None
        self.audience.trust(self)


class Audience:
    """All watchers of one user's jobs on this process.

    `missing_since` is a position behind which something may not have been heard here; None where all is.
    """

    __slots__ = (
        "_forget_above",
        "channel",
        "doubts",
        "mailboxes",
        "missing_since",
        "streams",
        "traces",
        "user_id",
        "watches",
    )

    def __init__(self, user_id: str, channel: bytes, traces: "Traces | None" = None) -> None:
        self.user_id = user_id
        self.channel = channel
        self.traces = traces
        self.watches: dict[str, Watch] = {}
        self.mailboxes: tuple[UserMailbox, ...] = ()
        self.doubts: set[Watch] | None = None
        self.missing_since: int | None = None
        self._forget_above = FORGET_ABOVE
        self.streams = 0  # open here, of both kinds

    def watch(self, job_id: str) -> Watch:
        """Return what is known of a job, nothing yet where it is new here."""
        if job_id not in self.watches:
            if len(self.watches) > self._forget_above:
                self._forget_finished()
            self.watches[job_id] = Watch(self, job_id)
        return self.watches[job_id]

    def hear(self, state: State) -> Watch | None:
        """Take a message; return the watch if it has to be settled."""
        watch = self.watches.get(state.job_id)
        if watch is None:
            if not self.mailboxes:
                return None
            watch = self.watch(state.job_id)
        if self.traces:
            self._offer_traced(watch, state, self.traces)
        else:
            watch.offer(state)
        return watch if watch.doubtful else None

    def _offer_traced(self, watch: Watch, state: State, traces: "Traces") -> None:
        """Only what is heard is a push: whoever connects is shown what may be hours old."""
        push = Push(traces, state, [*watch.mailboxes, *self.mailboxes])
        watch.offer(state)
        if watch.event and watch.event.state is state:
            push.told_soon()

    def leave(self, watch: Watch, mailbox: JobMailbox) -> None:
        """Take a reader of one job out."""
        watch.leave(mailbox)
        if not watch.mailboxes and (watch.event is None or not self.mailboxes):
            self._forget(watch)

    def join_all(self, mailbox: UserMailbox) -> None:
        """Add a reader of all jobs."""
        self.mailboxes = (*self.mailboxes, mailbox)

    def leave_all(self, mailbox: UserMailbox) -> None:
        """Take a reader of all jobs out."""
        self.mailboxes = _without(mailbox, self.mailboxes)
        if not self.mailboxes:
            self._forget_all(lambda watch: not watch.mailboxes)

    def doubt(self, watch: Watch) -> None:
        """Note that a watch has a state in doubt."""
        self.doubts = self.doubts or set()
        self.doubts.add(watch)

    def trust(self, watch: Watch) -> None:
        """Note that it has none any more."""
        if self.doubts:
            self.doubts.discard(watch)

    def told_up_to(self, position: int) -> int:
        """Return how far readers of all jobs have been told: not beyond a state in doubt, nor into what was not heard."""
        held = (watch.doubtful.position for watch in self.doubts or () if watch.doubtful and watch.doubtful.position)
        certain = min(position, min(held, default=position + 1) - 1)
        return certain if self.missing_since is None else min(certain, self.missing_since)

    @property
    def readers(self) -> list[Mailbox]:
        """Everyone who is told of this user's jobs here."""
        return [*self.mailboxes, *(mailbox for watch in self.watches.values() for mailbox in watch.mailboxes)]

    def miss(self, since: int) -> None:
        """Hear nothing behind a position, until all is read again."""
        self.missing_since = since if self.missing_since is None else min(self.missing_since, since)

    def _forget_finished(self) -> None:
        self._forget_all(lambda watch: not watch.mailboxes and bool(watch.event and watch.event.state.is_last))
        self._forget_above = max(FORGET_ABOVE, 2 * len(self.watches))

    def _forget_all(self, is_over: Callable[[Watch], bool]) -> None:
        for watch in [watch for watch in self.watches.values() if is_over(watch)]:
            self._forget(watch)

    def _forget(self, watch: Watch) -> None:
        self.watches.pop(watch.job_id, None)
        self.trust(watch)


class JobSubscription(Struct, frozen=True, eq=False):
    """A reader of one job."""

    watch: Watch
    mailbox: JobMailbox


class UserSubscription(Struct, frozen=True, eq=False):
    """A reader of all jobs of a user."""

    audience: Audience
    mailbox: UserMailbox


def _without(one: T, of: tuple[T, ...]) -> tuple[T, ...]:
    at = of.index(one)
    return of[:at] + of[at + 1 :]
