"""Who watches what on this process, and the one state of each watched job. No I/O."""

from api.frames import Event
from api.mailbox import Slot, Slots
from streams.channel import channel_of
from streams.state import Order, State, order

FORGET_ABOVE = 1000  # finished jobs that a user's watchers need not be told of again


class Watch:
    """One job as this process knows it: the newest state, and what may be newer still."""

    __slots__ = ("audience", "doubtful", "event", "job_id", "settling", "slots")

    def __init__(self, audience: "Audience", job_id: str) -> None:
        self.audience = audience
        self.job_id = job_id
        self.event: Event | None = None
        self.doubtful: State | None = None  # waits for a consistent read
        self.settling = False
        self.slots: set[Slot] = set()

    @property
    def is_watched(self) -> bool:
        """Whether anybody is told of this job."""
        return bool(self.slots or self.audience.boxes)

    def offer(self, state: State) -> None:
        """Show a state if it is newer; where that is unsure, `doubtful` holds it until settle()."""
        if self.event is None:
            self.show(state)
            return
        match order(state, self.event.state):
            case Order.NEWER:
                self.show(state)
            case Order.SAME:
                self._adopt(state)
            case Order.UNSURE:
                self._doubt(state)

    def believe(self, truth: State, shown: Event | None) -> None:
        """Take the result of a consistent read that began when `shown` was shown: it is not older than that."""
        if self.event is not shown or shown is None:
            self.offer(truth)
        elif truth.data != shown.state.data:
            self.show(truth)
        else:
            self._adopt(truth)

    def settle(self, truth: State, shown: Event | None, asked: State) -> None:
        """Decide a doubt by a consistent read that began after `asked`; `doubtful` stays where that was too early."""
        if self.event is shown and self.doubtful is asked:
            self.doubtful = None
            self.believe(asked if asked.data == truth.data else truth, shown)

    def show(self, state: State) -> None:
        """Make this the state of the job, and tell all who watch it."""
        before = self.event.state if self.event else None
        self.event = Event(state)
        self.doubtful = None
        for slot in self.slots:
            slot.put(self.event)
        for box in self.audience.boxes:
            if box.wants(before, state):
                box.put(self.event)

    def _adopt(self, state: State) -> None:
        """Learn the version of what is shown already."""
        if self.event and state.version and not self.event.state.version:
            self.event = Event(state)
            self.doubtful = None

    def _doubt(self, state: State) -> None:
        held = self.doubtful
        if held is None or not (held.version and state.version) or state.version > held.version:
            self.doubtful = state


class Audience:
    """All watchers of one user's jobs on this process."""

    __slots__ = ("boxes", "channel", "user_id", "watches")

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.channel = channel_of(user_id)
        self.watches: dict[str, Watch] = {}
        self.boxes: set[Slots] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nobody watches any more."""
        return not (self.boxes or self.watches)

    def watch(self, job_id: str) -> Watch:
        """Return what is known of a job, nothing yet where it is new here."""
        if job_id not in self.watches:
            if len(self.watches) > 2 * FORGET_ABOVE:
                self._forget_finished()
            self.watches[job_id] = Watch(self, job_id)
        return self.watches[job_id]

    def hear(self, state: State) -> Watch | None:
        """Take a message; return the watch if it has to be settled."""
        watch = self.watches.get(state.job_id)
        if watch is None:
            if not self.boxes:
                return None
            watch = self.watch(state.job_id)
        watch.offer(state)
        return watch if watch.doubtful else None

    def leave(self, watch: Watch, slot: Slot) -> None:
        """Take a reader of one job out."""
        watch.slots.discard(slot)
        if not watch.is_watched:
            self.watches.pop(watch.job_id, None)

    def leave_all(self, box: Slots) -> None:
        """Take a reader of all jobs out."""
        self.boxes.discard(box)
        if not self.boxes:
            self.watches = {job_id: watch for job_id, watch in self.watches.items() if watch.slots}

    def _forget_finished(self) -> None:
        self.watches = {
            job_id: watch
            for job_id, watch in self.watches.items()
            if watch.slots or watch.event is None or not watch.event.state.is_last
        }
