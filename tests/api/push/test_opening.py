"""What a stream of all jobs opens with: the newest, whatever lags or was forgotten, and nothing of what was over before."""

from api.push.frames import Event
from tests.api.push.process import Process, Reader, connected, publish, reads_end
from tests.api.push.world import Client, World


def opening(process: Process, client: Client) -> Reader:
    """Connect; nothing is read yet."""
    process.connect_all(client, ())
    return process.readers[-1]


def test_an_end_is_told_on_return_to_a_client_whose_first_stream_opened_while_the_feed_was_broken(world: World) -> None:
    client, process = Client(world), Process(world)
    world.write("job_a", "processing", 1)
    world.redis_away = True
    process.break_feed()
    first = connected(process, client)
    client.assert_current("job_a")
    process.leave(first)
    world.redis_away = False
    process.mend_feed()
    for _ in range(2):
        publish(world, "job_a")
        world.write("job_a", "completed", 1)
    connected(Process(world), client)
    client.assert_current("job_a")


def test_an_index_that_lags_is_not_believed_where_redis_has_forgotten(world: World) -> None:
    client = Client(world)
    world.write("job_a", "processing", 1)
    publish(world, "job_a")
    first = connected(Process(world), client)
    first.process.leave(first)
    for scenes in (2, 3):  # within the same second, so no clock tells
        world.write("job_a", "processing", scenes)
        publish(world, "job_a")
    second = connected(Process(world), client)
    second.process.leave(second)
    world.lose_redis()
    world.behind.clear()
    world.index_lag = 1
    connected(Process(world), client)
    client.assert_current("job_a")


def test_what_a_late_relay_tells_during_the_opening_is_not_shown_to_a_client_that_has_seen_newer(world: World) -> None:
    client = Client(world)
    for status in ("pending", "processing"):
        world.write("job_a", status, 1)
    world.write("job_b", "processing", 1)
    publish(world, "job_b")
    world.write("job_a", "completed", 1)  # which no index query of unfinished jobs brings
    client.hear(
        Event(world.histories["job_a"].states[-1], world.micros + 100_000_000).of_all
    )  # from another process, which read the table
    process = Process(world)
    reader = opening(process, client)
    publish(world, "job_a", process)
    process.hear(process.flying.pop())
    reads_end(world, reader)
    client.assert_current("job_a")


def test_a_late_message_does_not_come_before_what_the_table_says_of_one_job(world: World) -> None:
    client, process = Client(world), Process(world)
    for status in ("pending", "processing", "completed"):
        world.write("job_a", status, 1)
    client.hear(Event(world.histories["job_a"].states[1], 0).of_one)  # from another process, which read the table
    process.connect(client, "job_a")
    reader = process.readers[-1]
    publish(world, "job_a", process)
    process.hear(process.flying.pop())
    reads_end(world, reader)
    client.assert_current("job_a")


def test_an_opening_reader_is_told_what_the_reading_of_another_brings(world: World) -> None:
    process, client = Process(world), Client(world)
    world.write("job_b", "processing", 1)
    publish(world, "job_b")
    late = opening(process, client)
    for _ in range(2):  # it has asked what is recent, and what the index lists
        world.let_through(0)
    world.write("job_a", "processing", 1)
    publish(world, "job_a", process)
    quick = opening(process, Client(world))
    while not quick.is_open:
        world.let_through(len(world.gates) - 1)
    process.hear(process.flying.pop())  # nothing new, by now
    reads_end(world, late)
    client.assert_current("job_a")


def test_a_new_client_is_not_told_what_was_over_before_it_came(world: World) -> None:
    process, client, other = Process(world), Client(world), Client(world)
    world.write("job_a", "completed", 1)
    world.write("job_b", "processing", 1)
    publish(world, "job_a")
    publish(world, "job_b")
    reader = connected(process, client)
    assert set(client.shown) == {"job_b"}
    process.connect(other, "job_a")  # somebody opens the finished job: no news to those who watch all
    reads_end(world, process.readers[-1])
    reader.read()
    other.assert_current("job_a")
    assert set(client.shown) == {"job_b"}


def test_a_deletion_that_redis_can_name_but_not_tell_is_read_from_the_table(world: World) -> None:
    client = Client(world)
    world.write("job_a", "processing", 1)
    publish(world, "job_a")
    first = connected(Process(world), client)
    first.process.leave(first)
    world.delete("job_a")
    publish(world, "job_a")
    reader = opening(Process(world), client)
    world.let_through(0)  # it has asked what changed
    world.latest_states.clear()
    reads_end(world, reader)
    client.assert_current("job_a")


def test_a_client_that_came_while_redis_was_away_is_told_what_changed_since_it_was_last_here(world: World) -> None:
    client, process = Client(world), Process(world)
    world.write("job_a", "processing", 1)
    publish(world, "job_a")
    first = connected(process, client)
    first.process.leave(first)
    world.delete("job_a")
    publish(world, "job_a")
    process.break_feed()
    world.redis_away = True
    reader = opening(process, client)
    reads_end(world, reader)
    world.micros += 3_600_000_000
    world.redis_away = False
    process._since = world.micros  # noqa: SLF001 - the break is long ago
    process.mend_feed()
    reads_end(world, reader)
    client.assert_current("job_a")


def test_a_new_client_is_told_of_a_job_that_is_watched_here_and_that_the_index_takes_for_ended(world: World) -> None:
    process = Process(world)
    for status in ("failed", "processing"):  # it was tried again
        world.write("job_a", status, 1)
        publish(world, "job_a")
    connected(process, Client(world))
    world.lose_redis()
    world.behind.clear()
    world.index_lag = 1
    reader = connected(process, Client(world))
    reader.client.assert_current("job_a")
