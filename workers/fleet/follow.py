"""Follow the table's stream, and its successor where the table is given a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from msgspec.structs import replace

from streams.channel.heartbeat import Heartbeat
from streams.errors import ShardGone, TableUnfit
from streams.retry import Stopped, wait
from workers.fleet.pulse import Pulse
from workers.fleet.worker import Worker
from workers.relay import metrics
from workers.relay.relay import Relay
from workers.relay.retry import hold

log = structlog.get_logger()

ASK_EVERY = 15.0  # seconds between two looks at which stream the table has


class Followers:
    """One worker for each stream that the table has had since this process started; an old stream is read to its end."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Relay]],
        me: str,
        ask_every: float = ASK_EVERY,
        pulse: Pulse | None = None,
        table: str = "",
    ) -> None:
        self._connect = connect
        self._pulse = pulse
        self._table = table
        self._me = me
        self._ask_every = ask_every
        self._workers: dict[str, Worker] = {}
        self._followed_before = False

    def have_looked_within(self, seconds: float) -> bool:
        """Say whether every worker saw its leases lately."""
        return bool(self._workers) and all(worker.has_looked_within(seconds) for worker in self._workers.values())

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until asked to stop; raises TableUnfit where there is no stream at the start."""
        parts = await hold("find stream", self._connect, stopping)
        async with asyncio.TaskGroup() as tasks:
            if self._pulse:
                tasks.create_task(self._pulse.beat_on(self.heartbeat, stopping))
            while not stopping.is_set():
                if parts.feed.arn not in self._workers:
                    with suppress(Stopped):
                        await self._begin(parts, tasks, stopping)
                await wait(stopping, self._ask_every)
                parts = await self._ask_again(parts, stopping)
        if self._pulse:
            await self._pulse.beat(replace(self.heartbeat(), is_leaving=True))

    def heartbeat(self) -> Heartbeat:
        """Say how this process is, over all streams that it follows."""
        reports = [worker.report() for worker in self._workers.values()]
        return Heartbeat(
            relay=self._me,
            table=self._table,
            behind=max((report.behind for report in reports), default=0.0),
            unclaimed=sum(report.unclaimed for report in reports),
            sees_all=bool(reports) and all(report.sees_all for report in reports),
        )

    async def _begin(self, parts: Relay, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        succeeds = self._followed_before or await hold("find leases of others", parts.leases.succeed_others, stopping)
        log.info("stream found", stream=parts.feed.arn, succeeds_another=succeeds)
        worker = Worker(parts, self._me, succeeds=succeeds)
        self._workers[parts.feed.arn], self._followed_before = worker, True
        tasks.create_task(self._work(parts.feed.arn, worker, stopping))

    async def _ask_again(self, known: Relay, stopping: asyncio.Event) -> Relay:
        """Return the parts of the table's stream; those known while it has none."""
        try:
            return await hold("find stream", self._connect, stopping)
        except Stopped:
            return known
        except (TableUnfit, ShardGone) as error:
            metrics.count_error(error)
            log.error("the table has no stream to follow", reason=str(error))  # noqa: TRY400 - no traceback helps
            return known

    async def _work(self, arn: str, worker: Worker, stopping: asyncio.Event) -> None:
        try:
            await worker.run(stopping)
        except* ShardGone as gone:
            log.warning("stream gone", stream=arn, reason=str(gone.exceptions[0]))
            del self._workers[arn]
