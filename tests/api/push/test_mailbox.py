import sys

import pytest
from msgspec import structs

from api.push import frames
from api.push.cause import Cause
from api.push.clock import Clock
from api.push.frames import Event
from api.push.mailbox import JobMailbox, Mailbox, UserMailbox
from streams.jobs.job import Job
from streams.jobs.state import State, Version, deletion_of, state_of

BYE = frames.BYE


def event(sequence: int, status: str = "processing", job_id: str = "job_1") -> Event:
    job = Job(job_id=job_id, user_id="u", status=status, created_at=1, updated_at=sequence)
    return Event(structs.replace(state_of(job, Version(1, sequence)), position=sequence), sequence)


def job_mailbox(known_id: str = "") -> JobMailbox:
    return JobMailbox("job_1", Clock(), 600, known_id)


def user_mailbox(*statuses: str) -> UserMailbox:
    return UserMailbox(Clock(), 600, statuses)


def told(clock: Clock, lifetime: int, *, is_token: bool = False) -> JobMailbox:
    """Return the mailbox of a reader who was told something just now, and so will not be pinged for a while."""
    box = JobMailbox("job_1", clock, lifetime, "", is_token=is_token)
    box.put(event(1))
    box.take()
    return box


def state(status: str) -> State:
    return event(1, status).state


class Reader:
    """Takes whenever it rings."""

    def __init__(self, box: Mailbox) -> None:
        self.taken: list[bytes] = []
        self._box = box

    def ring(self) -> None:
        self.taken.append(self._box.take())

    def cut(self) -> None:
        self._box.close()


def heard(box: Mailbox) -> list[bytes]:
    box.sender = reader = Reader(box)
    return reader.taken


def test_a_reader_who_was_asleep_gets_the_newest_state_only() -> None:
    box = job_mailbox()
    for sequence in (1, 2, 3):
        box.put(event(sequence))
    assert box.take() == event(3).of_one
    assert not box.ended


@pytest.mark.parametrize("box", [job_mailbox(), user_mailbox()], ids=["one job", "all jobs"])
def test_it_rings_whenever_there_is_something_to_take(box: JobMailbox | UserMailbox) -> None:
    taken = heard(box)
    box.put(event(1))
    box.put(event(2))
    assert [b'"updated_at":1' in taken[0], b'"updated_at":2' in taken[1]] == [True, True]


def test_a_final_state_ends_the_stream_of_one_job_and_nothing_follows_it() -> None:
    box = job_mailbox()
    box.stale()
    box.notice(frames.PING)
    box.put(event(2, "completed"))
    assert box.take() == event(2, "completed").of_one
    assert box.ended


def test_a_final_state_does_not_end_the_stream_of_all_jobs() -> None:
    box = user_mailbox()
    box.put(event(2, "completed"))
    assert box.take() == event(2, "completed").of_all
    assert not box.ended


def test_all_jobs_are_told_in_the_order_of_their_positions_the_newest_of_each() -> None:
    box = user_mailbox()
    for told in (event(1, job_id="a"), event(2, job_id="b"), event(3, job_id="a"), event(4, job_id="c")):
        box.put(told)
    assert box.take() == b"".join(
        told.of_all for told in (event(2, job_id="b"), event(3, job_id="a"), event(4, job_id="c"))
    )


def test_a_client_who_knows_the_state_hears_nothing_until_it_changes() -> None:
    box = job_mailbox(known_id="1-1")
    assert box.open(event(1))
    assert box.take() == b""
    box.put(event(2))
    assert box.take() == event(2).of_one


def test_a_client_who_knows_the_final_state_has_nothing_to_wait_for() -> None:
    assert not job_mailbox(known_id="1-2").open(event(2, "failed"))


def test_a_client_who_knows_an_older_state_gets_the_newest() -> None:
    box = job_mailbox(known_id="1-1")
    assert box.open(event(2, "failed"))
    assert box.take() == event(2, "failed").of_one


def test_what_came_before_the_opening_and_is_known_is_not_told_again() -> None:
    box = job_mailbox(known_id="1-2")
    box.put(event(1))
    assert box.open(event(2))
    box.end(Cause.SHUTDOWN, BYE)
    assert box.take() == BYE


def test_a_stream_of_all_jobs_opens_with_what_was_read_before_what_came_meanwhile() -> None:
    box = user_mailbox()
    box.put(event(5, job_id="b"))
    box.open([event(3, job_id="c"), event(2, job_id="b"), event(1, job_id="a")], 4)
    told = [event(1, job_id="a"), event(3, job_id="c"), event(5, job_id="b")]
    assert box.take() == b"".join(event.of_all for event in told) + frames.live(4)


@pytest.mark.parametrize(
    ("box", "of"), [(job_mailbox(), "of_one"), (user_mailbox(), "of_all")], ids=["one job", "all jobs"]
)
def test_that_nothing_is_heard_is_told_behind_what_came_before(box: JobMailbox | UserMailbox, of: str) -> None:
    box.stale()
    box.put(event(1))
    box.stale()
    assert box.take() == getattr(event(1), of) + frames.stale(b"{}")


def test_what_is_over_before_it_was_told_is_not_told() -> None:
    box = job_mailbox()
    box.stale()
    box.live()
    box.put(event(1))
    assert box.take() == event(1).of_one


def test_an_opening_takes_back_that_nothing_is_heard() -> None:
    box = user_mailbox()
    box.stale()
    box.open([], 7)
    assert box.take() == frames.live(7)


@pytest.mark.parametrize(
    "box", [job_mailbox(), user_mailbox(), Mailbox(Clock(), 600)], ids=["one job", "all jobs", "any"]
)
def test_an_ended_stream_tells_what_waits_and_says_farewell(box: Mailbox) -> None:
    told = b""
    if isinstance(box, JobMailbox | UserMailbox):
        box.put(event(1))
        told = event(1).of_all if isinstance(box, UserMailbox) else event(1).of_one
    box.notice(frames.PING)
    box.end(Cause.SHUTDOWN, BYE)
    assert box.take() == told + frames.PING + BYE
    assert box.ended


def test_a_stream_can_end_without_a_word() -> None:
    box = job_mailbox()
    taken = heard(box)
    box.end(Cause.AGE)
    assert taken == [b""]
    assert box.ended


def test_who_hears_nothing_else_for_fifteen_seconds_is_pinged() -> None:
    clock = Clock()
    taken = heard(told(clock, 600))
    for _ in range(45):
        clock.tick()
    assert taken == [frames.PING] * 3


def test_what_is_told_puts_off_the_ping() -> None:
    clock = Clock()
    taken = heard(box := told(clock, 600))
    for _ in range(10):
        clock.tick()
    box.put(event(2))
    for _ in range(14):
        clock.tick()
    assert taken == [event(2).of_one]
    clock.tick()
    assert taken[1:] == [frames.PING]


def test_a_stream_ends_with_its_time_and_without_a_word() -> None:
    clock = Clock()
    box = told(clock, 10)
    for _ in range(9):
        clock.tick()
    assert not box.ending
    clock.tick()
    assert (box.take(), box.ended) == (b"", True)


def test_a_token_that_ends_is_told_half_a_minute_before() -> None:
    clock = Clock()
    box = told(clock, 40, is_token=True)
    for _ in range(10):
        clock.tick()
    assert box.take() == frames.EXPIRING


def test_a_client_that_reads_again_in_time_is_not_cut() -> None:
    clock = Clock()
    box = JobMailbox("job_1", clock, 600, "")
    heard(box)
    for _ in range(20):
        box.block()
        for _ in range(4):
            clock.tick()
        box.unblock()
    assert box.cause is None


def test_a_client_that_does_not_read_the_last_words_is_cut_in_five_seconds() -> None:
    clock = Clock()
    box = JobMailbox("job_1", clock, 600, "")
    heard(box)
    box.end(Cause.SHUTDOWN, BYE)
    for _ in range(4):
        clock.tick()
    assert box.sender
    clock.tick()
    assert box.sender is None  # it was cut


@pytest.mark.parametrize("until", [0, 1, 5, 20])
def test_nothing_keeps_the_mailbox_of_a_client_who_left(until: int) -> None:
    clock = Clock()
    box = JobMailbox("job_1", clock, 600, "", is_token=True)
    for _ in range(until):
        clock.tick()
    kept = sys.getrefcount(box)
    box.close()
    assert sys.getrefcount(box) == kept - 1


@pytest.mark.parametrize(
    ("is_token", "is_blocked", "ticks", "cause"),
    [
        (False, False, 40, Cause.AGE),
        (True, False, 40, Cause.EXPIRED),
        (False, True, 5, Cause.SEND_TIMEOUT),
        (True, True, 40, Cause.SEND_TIMEOUT),  # the first cause stands
        (False, False, 39, Cause.CLIENT_LEFT),
    ],
)
def test_a_stream_knows_why_it_ended(is_token: bool, is_blocked: bool, ticks: int, cause: Cause) -> None:
    clock = Clock()
    box = JobMailbox("job_1", clock, 40, "", is_token=is_token)
    if is_blocked:
        box.block()
    for _ in range(ticks):
        clock.tick()
    box.close()
    assert box.cause == cause


def test_a_last_state_is_the_cause_unless_there_was_one_before() -> None:
    done, deleted, aged = job_mailbox(), job_mailbox(), job_mailbox()
    for box in (done, aged):
        box.put(event(1, "completed"))
    deleted.put(Event(deletion_of("job_1", 1, Version(1, 2)), 0))
    aged.end(Cause.AGE)
    for box in (done, deleted, aged):
        box.take()
    assert [box.cause for box in (done, deleted, aged)] == [Cause.DONE, Cause.DELETED, Cause.AGE]


def test_what_a_newer_state_replaced_is_counted() -> None:
    one, all_jobs = job_mailbox(), user_mailbox()
    for sequence in range(5):
        one.put(event(sequence))
        all_jobs.put(event(sequence))
    assert (one.conflated, all_jobs.conflated) == (4, 4)


@pytest.mark.parametrize(
    ("wanted", "before", "now", "told"),
    [
        ((), "pending", "processing", True),
        (("processing",), "pending", "processing", True),
        (("processing",), "processing", "processing", True),
        (("processing",), "processing", "completed", True),  # it leaves the tab
        (("processing",), "pending", "completed", False),
        (("processing",), None, "completed", True),  # it may have been in the tab
        (("completed", "failed"), "processing", "failed", True),
    ],
)
def test_a_tab_hears_of_jobs_that_are_in_it_come_or_leave(
    wanted: tuple[str, ...], before: str | None, now: str, told: bool
) -> None:
    assert user_mailbox(*wanted).wants(state(before) if before else None, state(now)) is told


@pytest.mark.parametrize(
    ("wanted", "status", "opens"),
    [
        ((), "processing", True),
        ((), "paused", True),
        ((), "completed", False),
        (("processing",), "processing", True),
        (("processing",), "pending", False),
        (("completed",), "completed", False),
    ],
)
def test_a_tab_opens_with_its_jobs_that_are_not_final(wanted: tuple[str, ...], status: str, opens: bool) -> None:
    assert user_mailbox(*wanted).opens_with(state(status)) is opens


def test_a_mailbox_holds_one_state_a_job_however_many_come() -> None:
    one, all_jobs = job_mailbox(), user_mailbox()
    for sequence in range(1000):
        one.put(event(sequence))
        all_jobs.put(event(sequence, job_id=f"job_{sequence % 3}"))
    assert (one.take()).count(b"event:") == 1
    assert (all_jobs.take()).count(b"event:") == 3


def test_only_an_opening_without_a_position_gives_a_new_client_one_with_stale() -> None:
    box, late = user_mailbox(), user_mailbox()
    box.open([], 5000, 1000)
    late.open([], None, 1000)
    box.take()
    box.stale()
    assert box.take() == frames.stale(b"{}")
    assert late.take() == frames.stale(b"{}", 1000)
    late.stale()
    assert late.take() == frames.stale(b"{}")
