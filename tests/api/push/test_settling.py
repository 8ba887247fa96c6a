"""How often a doubt is read about while the table does not answer."""

import asyncio
from typing import cast

from api.push.audience import Audience
from api.push.clock import Clock
from api.push.mailbox import JobMailbox
from api.push.reader import StateReader
from api.push.reconcile import Reconciler
from streams.channel.channel import Channel
from streams.errors import Throttled
from streams.jobs.job import Job
from streams.jobs.state import Version, state_of
from streams.table.table import Table
from tests.api.push.world import USER
from tests.support.clock import run

NEWER = Job(job_id="job", user_id=USER, status="completed", created_at=1, updated_at=5)
OLDER = Job(job_id="job", user_id=USER, status="processing", created_at=1, updated_at=5)
MINUTE = 60.0


class BusyTable:
    """A table that is throttled until it is not, and counts its reads; Redis holds nothing."""

    def __init__(self) -> None:
        self.is_throttled = True
        self.reads = 0

    async def get(self, _: str) -> Job:
        self.reads += 1
        if self.is_throttled:
            raise Throttled("too much")
        return NEWER

    async def latest(self, _: object) -> list[object]:
        return []


def test_a_throttled_table_is_asked_about_a_doubt_ever_more_slowly_and_the_doubt_ends_when_it_answers() -> None:
    table = BusyTable()
    watch = Audience(USER, b"hw").watch("job")
    watch.join(JobMailbox(watch.job_id, Clock(), 600, ""))
    watch.offer(state_of(OLDER))
    watch.offer(state_of(NEWER, Version(1, 2)))
    assert watch.doubtful

    async def settled() -> None:
        async with asyncio.TaskGroup() as tasks:
            truth = StateReader(cast("Table", table), cast("Channel", table))
            Reconciler(truth, tasks.create_task).settle_soon(watch)
            await asyncio.sleep(MINUTE)
            table.is_throttled = False

    run(settled())
    assert 10 < table.reads < 60  # 2.5 s between two, on average, after the first few
    assert watch.doubtful is None
    assert watch.event
    assert watch.event.state.data == state_of(NEWER).data
