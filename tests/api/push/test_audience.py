"""Whatever happens on the way, nobody is shown an older state after a newer one, and all end on the newest."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.jobs.state import State
from tests.api.push.process import Process, Reader
from tests.api.push.world import JOBS, Client, World, statuses_of

job_ids = st.sampled_from(JOBS)
statuses = st.sampled_from(["processing", "processing", "completed", "failed"])
processes = st.integers(0, 1)
picks = st.integers(0, 20)


class Watching(RuleBasedStateMachine):
    """Two processes of the api, one Redis, one table, and clients that come, read slowly, leave and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.processes = [Process(self.world), Process(self.world)]
        self.away: list[tuple[Client, str | tuple[str, ...]]] = []  # clients who may come back, and what they watch

    @property
    def readers(self) -> list[Reader]:
        return [reader for process in self.processes for reader in process.readers]

    @initialize()
    def create(self) -> None:
        for job_id in JOBS:
            self.world.write(job_id, "pending", 0)
        self.processes[0].connect_all(Client(self.world), ())
        self.all_is_quick()
        self.world.lose_redis()
        self.processes[1].connect(Client(self.world), JOBS[0])  # so one watches with versions, one without
        self.all_is_quick()

    @rule(job_id=job_ids, status=statuses, scenes=st.integers(0, 2), later=st.booleans())
    def write(self, job_id: str, status: str, scenes: int, later: bool) -> None:
        self.world.micros += 1_000_000 * later
        self.world.write(job_id, status, scenes)

    @rule(job_id=job_ids)
    def delete(self, job_id: str) -> None:
        self.world.delete(job_id)

    @rule(lag=st.integers(0, 2))
    def the_index_lags(self, lag: int) -> None:
        self.world.index_lag = lag

    @rule(job_id=job_ids)
    def relay(self, job_id: str) -> None:
        if message := self.world.publish(job_id):
            for process in self.processes:
                process.send(message)

    @rule(back=st.integers(1, 3))
    def the_relay_is_killed_and_repeats(self, back: int) -> None:
        self.world.relayed = {job_id: max(0, done - back) for job_id, done in self.world.relayed.items()}

    @rule(loses=st.booleans())
    def redis_goes(self, loses: bool) -> None:
        self.world.redis_away = True
        for process in self.processes:
            process.break_feed()
        if loses:
            self.world.lose_redis()

    @rule(number=processes)
    def a_feed_breaks(self, number: int) -> None:
        self.processes[number].break_feed()

    @rule(number=processes, job_id=job_ids, status=statuses, scenes=st.integers(0, 2), later=st.booleans())
    def something_is_missed(self, number: int, job_id: str, status: str, scenes: int, later: bool) -> None:
        self.processes[number].break_feed()
        self.write(job_id, status, scenes, later)
        self.relay(job_id)

    @rule()
    def redis_comes_and_feeds_mend(self) -> None:
        self.world.redis_away = False
        for process in self.processes:
            process.mend_feed()

    @rule(number=processes)
    def relays_are_missed(self, number: int) -> None:
        """What is published from now on comes late; each process notices by itself."""
        self.processes[number].relays_are_missed()

    @rule(number=processes)
    def relays_are_back(self, number: int) -> None:
        """With a backlog, perhaps, that is not published yet."""
        self.processes[number].relays_are_back()

    @rule(number=processes)
    def poll(self, number: int) -> None:
        if self.processes[number].late or not self.processes[number].whole:
            self.processes[number].poll()

    @rule(number=processes, pick=picks, again=st.booleans())
    def deliver(self, number: int, pick: int, again: bool) -> None:
        """Deliver any message, so late and out of order, perhaps to come once more."""
        process = self.processes[number]
        if process.flying:
            pick %= len(process.flying)
            process.hear(process.flying[pick] if again else process.flying.pop(pick))

    @rule(number=processes, pick=picks)
    def an_old_message_comes_again(self, number: int, pick: int) -> None:
        process = self.processes[number]
        if process.heard:
            process.hear(process.heard[pick % len(process.heard)])
            self.all_is_read()

    @rule()
    def versions_expire(self) -> None:
        self.world.lose_redis()

    @rule()
    def all_is_quick(self) -> None:
        """What was written is relayed, heard and read at once."""
        for job_id in JOBS:
            for _ in self.world.histories[job_id].states:
                self.relay(job_id)
        self.reads_end()
        for process in self.processes:
            while process.flying:
                process.hear(process.flying.pop(0))
        self.reads_end()

    def reads_end(self) -> None:
        self.all_is_read()
        while self.world.gates:
            self.world.let_through(0)
            self.all_is_read()

    def all_is_read(self) -> None:
        for reader in self.readers:
            reader.read()

    @rule(number=processes, job_id=job_ids)
    def connect(self, number: int, job_id: str) -> None:
        self.processes[number].connect(Client(self.world), job_id)

    @rule(number=processes, tab=st.sampled_from([(), ("processing",), ("pending", "processing")]))
    def connect_all(self, number: int, tab: tuple[str, ...]) -> None:
        self.processes[number].connect_all(Client(self.world), tab)

    @precondition(lambda self: self.readers)
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        reader = self.readers[pick % len(self.readers)]
        reader.process.leave(reader)
        self.away.append((reader.client, reader.watched))

    @precondition(lambda self: self.away)
    @rule(number=processes, pick=picks)
    def come_back(self, number: int, pick: int) -> None:
        client, watched = self.away.pop(pick % len(self.away))
        if isinstance(watched, str):
            self.processes[number].connect(client, watched)
        else:
            self.processes[number].connect_all(client, watched)

    @precondition(lambda self: self.world.gates)
    @rule(pick=picks)
    def a_read_goes_on(self, pick: int) -> None:
        self.world.let_through(pick % len(self.world.gates))

    @precondition(lambda self: self.readers)
    @rule(pick=picks)
    def read(self, pick: int) -> None:
        self.readers[pick % len(self.readers)].read()

    @invariant()
    def nothing_is_kept_for_nobody(self) -> None:
        for process in self.processes:
            assert bool(process.audiences) is bool(process.readers or process.opening)
            for audience in process.audiences.values():
                assert audience.mailboxes or all(watch.mailboxes for watch in audience.watches.values())

    def teardown(self) -> None:
        try:
            self.world.index_lag = 0
            self.redis_comes_and_feeds_mend()
            for process in self.processes:
                process.relays_are_back()
            self.all_is_quick()
            for reader in self.readers:
                self.assert_current(reader)
        finally:
            self.world.close()

    def assert_current(self, reader: Reader) -> None:
        if isinstance(reader.watched, str):
            reader.client.assert_current(reader.watched)
            return
        assert reader.client.told_everything
        for job_id in set(JOBS) - self.world.forgotten:
            assert_told(reader, set(reader.watched), job_id, self.world.histories[job_id].states[-1])


def assert_told(reader: Reader, tab: set[str], job_id: str, newest: State) -> None:
    """A reader of all jobs shows the newest state, or never showed the job and it has ended, or it left the tab."""
    shown = reader.client.shown.get(job_id)
    if newest.status in tab or (not tab and (shown or not newest.is_last)):
        reader.client.assert_current(job_id)
    elif shown:
        assert not statuses_of([shown]) & tab


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
