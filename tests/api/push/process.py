"""A process of the api without its sockets: the steps of api/push/hub.py, driven by a world."""

from collections.abc import Coroutine
from typing import Any, cast

from api.errors import JobNotFound
from api.push.audience import Audience, JobSubscription, UserSubscription, Watch
from api.push.clock import Clock
from api.push.frames import position_of
from api.push.mailbox import JobMailbox, UserMailbox
from api.push.reader import StateReader
from api.push.reconcile import Reconciler
from streams.channel.channel import Channel
from streams.jobs.state import State
from streams.table.table import Table
from tests.api.push.world import USER, Client, World

LONG = 10**9


class Process:
    """One Audience, those who are connected to it, and what is under way to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.audiences: dict[bytes, Audience] = {}
        self.readers: list[Reader] = []
        self.opening: set[Reader] = set()  # some of whom may be gone
        self.flying: list[State] = []
        self.heard: list[State] = []  # since somebody watches on this connection to Redis
        self.whole = True  # all that is published is heard
        self.late = False  # relays are known to be dead, or behind
        reader = StateReader(cast("Table", world), cast("Channel", world), redis_within=None)
        reader.is_late = lambda: self.late or not self.whole
        self._reconciler = Reconciler(reader, self._spawn)
        self._position = 0
        self._since: int | None = None  # all is heard up to here, and not all behind it

    @property
    def audience(self) -> Audience:
        """Return the audience, a new one where nobody watches: what was under way to nobody is not heard."""
        if not self.audiences:
            self.audiences[b"hw"] = Audience(USER, b"hw")
            if self._since is not None:
                self.audiences[b"hw"].miss(self._since)
            self.flying.clear()
            self.heard.clear()
        return self.audiences[b"hw"]

    def send(self, message: State) -> None:
        if self.whole and self.audiences:
            self.flying.append(message)

    def hear(self, message: State) -> None:
        self.heard.append(message)
        self._position = max(self._position, message.position)
        for audience in self.audiences.values():
            if watch := audience.hear(message):
                self._reconciler.settle_soon(watch)
        self.world.turn()

    def break_feed(self) -> None:
        """Hear nothing from now on; what is under way is lost."""
        self._since = min(
            [self._position if self._since is None else self._since, *(m.position - 1 for m in self.flying)]
        )
        self.flying.clear()
        self.heard.clear()
        self.whole = False
        for audience in self.audiences.values():
            audience.miss(self._since)
        for reader in self.readers:
            reader.mailbox.stale()

    def mend_feed(self) -> None:
        self.whole = True
        if self._since is not None and not self.late:
            self._spawn(self._mend(self._since))
            self.world.turn()

    def relays_are_missed(self) -> None:
        """Know that what is heard is late, if anything is."""
        self.late = True
        self._since = self._position if self._since is None else min(self._since, self._position)
        for audience in self.audiences.values():
            audience.miss(self._since)
        for reader in self.readers:
            reader.mailbox.stale()

    def relays_are_back(self) -> None:
        self.late = False
        if self.whole and self._since is not None:
            self._spawn(self._mend(self._since))
            self.world.turn()

    def poll(self) -> None:
        """Read again what is watched while nothing is heard."""
        self._spawn(self._reconciler.poll(list(self.audiences.values())))
        self.world.turn()

    def connect(self, client: Client, job_id: str) -> None:
        watch = self.audience.watch(job_id)
        mailbox = JobMailbox(job_id, Clock(), LONG, client.last_event_id)
        watch.join(mailbox)
        subscription = JobSubscription(watch, mailbox)
        self._spawn(self._open(self._joined(client, subscription), subscription))
        self.world.turn()

    def connect_all(self, client: Client, statuses: tuple[str, ...]) -> None:
        subscription = UserSubscription(self.audience, UserMailbox(Clock(), LONG, statuses))
        self.audience.join_all(subscription.mailbox)
        reader = self._joined(client, subscription)
        self._spawn(self._open_all(reader, subscription, position_of(client.last_event_id)))
        self.world.turn()

    def leave(self, reader: "Reader") -> None:
        """Lose a client; one that leaves while its stream opens is taken out when it is open, as in the hub."""
        if reader in self.readers:
            self.readers.remove(reader)
            if reader not in self.opening:
                self._take_out(reader.subscription)

    def _take_out(self, subscription: JobSubscription | UserSubscription) -> None:
        if isinstance(subscription, JobSubscription):
            subscription.watch.audience.leave(subscription.watch, subscription.mailbox)
        else:
            subscription.audience.leave_all(subscription.mailbox)
        self.audience.streams -= 1
        if not self.audience.streams:
            self.audiences.clear()

    def _opened(self, reader: "Reader", *, goes_on: bool) -> None:
        self.opening.remove(reader)
        reader.is_open = goes_on
        if reader not in self.readers:
            self._take_out(reader.subscription)
        elif not goes_on:
            self.leave(reader)

    def _joined(self, client: Client, subscription: JobSubscription | UserSubscription) -> "Reader":
        self.audience.streams += 1
        reader = Reader(self, client, subscription)
        self.readers.append(reader)
        self.opening.add(reader)
        return reader

    async def _open(self, reader: "Reader", subscription: JobSubscription) -> None:
        try:
            goes_on = await self._reconciler.open(subscription)
        except JobNotFound:
            goes_on = False
        else:
            assert goes_on or _is_over(subscription.watch)  # 204
        self._say_late(reader)
        self._opened(reader, goes_on=goes_on)

    async def _open_all(self, reader: "Reader", subscription: UserSubscription, since: int | None) -> None:
        await self._reconciler.open_all(subscription, since, 0, is_heard=self.whole)
        self._say_late(reader)
        self._opened(reader, goes_on=True)

    def _say_late(self, reader: "Reader") -> None:
        if self.late and self._since is not None and self.audiences:
            reader.mailbox.stale()
            self.audience.miss(self._since)

    async def _mend(self, since: int) -> None:
        await self._reconciler.mend(list(self.audiences.values()), since)
        if self.whole and not self.late:
            self._since = None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> object:
        return self.world.start(work)


class Reader:
    """One connection of a client."""

    def __init__(self, process: Process, client: Client, subscription: JobSubscription | UserSubscription) -> None:
        self.process = process
        self.client = client
        self.subscription = subscription
        self.mailbox: JobMailbox | UserMailbox = subscription.mailbox
        self.is_open = False

    @property
    def watched(self) -> str | tuple[str, ...]:
        """The job, or the statuses, that this connection is about."""
        mailbox = self.mailbox
        return mailbox.job_id if isinstance(mailbox, JobMailbox) else tuple(sorted(mailbox._statuses))  # noqa: SLF001

    def read(self) -> None:
        """Read what waits."""
        if self.is_open:
            self.client.hear(self.mailbox.take())
            if self.mailbox.ended:
                self.process.leave(self)


def _is_over(watch: Watch) -> bool:
    return watch.event is not None and watch.event.state.is_last


def publish(world: World, job_id: str, *processes: Process) -> None:
    message = world.publish(job_id)
    assert message
    for process in processes:
        process.send(message)


def connected(process: Process, client: Client) -> Reader:
    """Connect and read everything that the opening brings, the moment it comes."""
    process.connect_all(client, ())
    reader = process.readers[-1]
    reads_end(process.world, reader)
    return reader


def reads_end(world: World, reader: Reader) -> None:
    while world.gates:
        world.let_through(0)
        reader.read()
