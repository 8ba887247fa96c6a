"""A client of all jobs that loses its connection is told, wherever it comes back, what it missed, and nothing older."""

import pytest

from tests.api.push.process import Process, connected, publish, reads_end
from tests.api.push.world import Client, World


def test_an_index_that_lags_behind_does_not_move_a_bar_back(world: World) -> None:
    client = Client(world)
    world.write("job_a", "processing", 1)
    publish(world, "job_a")
    world.write("job_a", "processing", 2)  # within the same second, so no clock tells
    publish(world, "job_a")
    first = connected(Process(world), client)
    client.assert_current("job_a")
    first.process.leave(first)
    world.index_lag = 1
    connected(Process(world), client)
    client.assert_current("job_a")


def test_an_end_in_doubt_when_the_connection_broke_is_told_on_the_next_one(world: World) -> None:
    client, process = Client(world), Process(world)
    for job_id in ("job_a", "job_b"):
        world.write(job_id, "processing", 1)
        publish(world, job_id)
    world.lose_redis()  # so that the first states have no versions
    first = connected(process, client)
    world.write("job_a", "completed", 1)  # within the same second: a read of the table must decide
    publish(world, "job_a", process)
    process.hear(process.flying.pop())
    assert world.gates
    world.micros += 1_000_000
    world.write("job_b", "processing", 2)
    publish(world, "job_b", process)
    process.hear(process.flying.pop())
    while len(world.gates) > 1:
        world.let_through(1)  # the read that decides about job_b; that about job_a still waits
    first.read()
    process.leave(first)
    client.assert_current("job_b")
    elsewhere = Process(world)
    connected(elsewhere, Client(world))  # another tab, for which nothing of this is news
    connected(elsewhere, client)
    client.assert_current("job_a")


@pytest.mark.parametrize("end", ["completed", "deleted"])
@pytest.mark.parametrize("watched", ["job_a", ()], ids=["one job", "all jobs"])
def test_an_end_missed_while_the_feed_was_broken_is_told_when_it_mends(
    world: World, watched: str | tuple[str, ...], end: str
) -> None:
    client, process = Client(world), Process(world)
    world.write("job_a", "processing", 1)
    publish(world, "job_a")
    if isinstance(watched, str):
        process.connect(client, watched)
    else:
        process.connect_all(client, watched)
    reader = process.readers[-1]
    reads_end(world, reader)
    process.break_feed()
    if end == "deleted":
        world.delete("job_a")
    else:
        world.write("job_a", end, 1)
    publish(world, "job_a", process)
    process.mend_feed()
    reads_end(world, reader)
    client.assert_current("job_a")
