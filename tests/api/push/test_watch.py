"""One job as a process knows it: what is shown, what is in doubt, and how a consistent read decides."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from api.push.audience import Audience, Watch
from api.push.clock import Clock
from api.push.mailbox import JobMailbox
from streams.jobs.job import Job
from streams.jobs.state import State, Version, deletion_of, state_of
from tests.api.push.world import USER, World

T = TypeVar("T")


def state(status: str, version: int | None = None, updated_at: int = 5) -> State:
    job = Job(job_id="job_a", user_id=USER, status=status, created_at=1, updated_at=updated_at)
    return state_of(job, Version(1, version) if version else None)


@pytest.fixture
def watch() -> Watch:
    watch = Audience(USER, b"hw").watch("job_a")
    watch.join(JobMailbox("job_a", Clock(), 600, ""))
    return watch


def shown(watch: Watch) -> State:
    assert watch.event
    return watch.event.state


def test_a_state_that_several_are_told_is_rendered_once_and_one_for_a_single_reader_is_not_kept(watch: Watch) -> None:
    (first,) = watch.mailboxes
    watch.offer(state("processing", 1))
    assert watch.event
    assert first.take() is not watch.event.of_one
    second = JobMailbox("job_a", Clock(), 600, "")
    watch.join(second)
    watch.offer(state("processing", 2))
    assert first.take() is second.take()


def test_the_first_state_is_shown_and_then_only_newer_ones(watch: Watch) -> None:
    for version in (2, 1, 3, 2):
        watch.offer(state("processing", version))
    assert shown(watch) == state("processing", 3)


def test_a_doubt_is_held_until_a_read_decides_it(watch: Watch) -> None:
    watch.offer(state("processing"))
    doubt = state("completed", 2)
    watch.offer(doubt)
    assert (shown(watch), watch.doubtful) == (state("processing"), doubt)
    watch.settle(state("completed"), watch.event, doubt)
    assert (shown(watch), watch.doubtful) == (state("completed", 2), None)  # the read's data, the message's version


def test_a_doubt_that_the_read_does_not_bear_out_is_dropped(watch: Watch) -> None:
    watch.offer(state("processing"))
    doubt = state("pending", 1)
    watch.offer(doubt)
    watch.settle(state("processing"), watch.event, doubt)
    assert (shown(watch), watch.doubtful) == (state("processing"), None)


def test_a_read_that_began_before_the_doubt_decides_nothing(watch: Watch) -> None:
    watch.offer(state("processing"))
    first = state("pending", 1)
    watch.offer(first)
    watch.offer(state("completed", 2))
    watch.settle(state("processing"), watch.event, first)
    assert watch.doubtful == state("completed", 2)


def test_a_read_that_began_before_what_is_shown_decides_nothing(watch: Watch) -> None:
    watch.offer(state("pending", 1))
    before, doubt = watch.event, state("processing")
    watch.offer(doubt)
    watch.offer(state("completed", 2))
    watch.settle(state("processing"), before, doubt)
    assert shown(watch) == state("completed", 2)


def test_of_two_doubts_the_newer_is_held(watch: Watch) -> None:
    watch.offer(state("processing"))
    for version, status in ((2, "failed"), (1, "pending"), (3, "completed")):
        watch.offer(state(status, version))
    assert watch.doubtful == state("completed", 3)


def test_a_state_without_a_version_learns_it_from_its_message_and_doubts_end(watch: Watch) -> None:
    watch.offer(state("processing"))
    watch.offer(state("pending", 1))
    watch.offer(state("processing", 2))
    assert (shown(watch), watch.doubtful) == (state("processing", 2), None)


def test_a_read_is_believed_over_what_was_shown_when_it_began(watch: Watch) -> None:
    watch.offer(state("completed", 7))
    watch.believe(state("pending", updated_at=1), watch.event)  # written again, by a clock that is behind
    assert shown(watch) == state("pending", updated_at=1)
    watch.believe(deletion_of("job_a", 0), watch.event)
    assert shown(watch).kind == "deleted"


def test_a_read_is_weighed_against_what_came_meanwhile(watch: Watch) -> None:
    watch.offer(state("pending", 1))
    before = watch.event
    watch.offer(state("completed", 2, updated_at=6))
    watch.believe(state("pending"), before)
    assert shown(watch) == state("completed", 2, updated_at=6)


def answer(world: World, read: Coroutine[Any, Any, T]) -> T:
    task = world.start(read)
    world.turn()
    while world.gates:
        world.let_through(0)
    return task.result()


def test_redis_adds_its_version_only_to_what_the_table_says(world: World) -> None:
    world.write("job_a", "pending", 0)
    message = world.publish("job_a")
    assert answer(world, world.reader.of_one(USER, "job_a")) == message
    world.write("job_a", "processing", 1)  # not relayed yet
    truth = answer(world, world.reader.of_one(USER, "job_a"))
    assert truth
    assert (truth.status, truth.version) == ("processing", None)


def test_a_read_does_without_redis_where_it_is_away(world: World) -> None:
    world.write("job_a", "pending", 0)
    world.publish("job_a")
    world.redis_away = True
    truth = answer(world, world.reader.of_one(USER, "job_a"))
    assert truth
    assert (truth.status, truth.version) == ("pending", None)
    assert answer(world, world.reader.of_user(USER, None)).position is None


def test_a_job_of_somebody_else_is_as_good_as_none(world: World) -> None:
    world.write("job_a", "pending", 0)
    assert answer(world, world.reader.of_one("somebody else", "job_a")) is None
    assert answer(world, world.reader.of_one(USER, "job_b")) is None
    many = answer(world, world.reader.of_many([("somebody else", "job_a"), (USER, "job_b"), (USER, "job_a")]))
    assert [state.kind for state in many.values()] == ["deleted", "deleted", "update"]
    assert many["somebody else", "job_a"].data == b'{"job_id":"job_a"}'


def test_a_doubt_is_looked_at_again_when_the_version_of_what_is_shown_becomes_known(watch: Watch) -> None:
    watch.offer(state("processing"))
    watch.offer(state("completed", 8))
    assert shown(watch) == state("processing")
    watch.offer(state("processing", 7))  # came late, and says how old what is shown is
    assert (shown(watch), watch.doubtful) == (state("completed", 8), None)


def test_a_doubt_outlives_a_read_that_may_be_older_than_it(watch: Watch) -> None:
    watch.offer(state("pending"))
    shown_then = watch.event
    doubt = state("processing", 5)
    watch.offer(doubt)
    watch.believe(state("failed"), shown_then)  # a read that began when "pending" was shown
    assert (shown(watch), watch.doubtful) == (state("failed"), doubt)


def test_a_newer_version_in_doubt_is_shown_behind_a_read_that_was_too_early_for_it(watch: Watch) -> None:
    watch.offer(state("processing"))
    shown_then = watch.event
    watch.offer(state("completed", 9))  # while the read was under way
    watch.believe(state("pending", 8), shown_then)
    assert (shown(watch), watch.doubtful) == (state("completed", 9), None)


def test_a_watch_that_was_forgotten_tells_nobody_any_more(watch: Watch) -> None:
    watch.offer(state("processing"))
    doubt = state("failed", 2)
    watch.offer(doubt)
    audience, mailbox = watch.audience, next(iter(watch.mailboxes))
    audience.leave(watch, mailbox)
    again = audience.watch("job_a")
    assert again is not watch
    watch.settle(state("failed"), watch.event, doubt)
    watch.believe(state("failed"), watch.event)
    assert shown(watch) == state("processing")
    assert not watch.is_watched


def test_a_position_does_not_reach_into_what_was_not_heard(watch: Watch) -> None:
    audience = watch.audience
    assert audience.told_up_to(900) == 900
    audience.miss(500)
    audience.miss(700)
    assert (audience.told_up_to(900), audience.told_up_to(400)) == (500, 400)
