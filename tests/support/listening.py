"""A listener for tests, and what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from streams.channel.channel import Channel, channel_of, connect_redis
from streams.channel.listener import Listener
from streams.channel.message import state_from_message
from streams.jobs.change import Change
from streams.jobs.state import State, Version


class Listening:
    """Keeps every state heard, by user, and every word about the feed."""

    def __init__(self, url: str, linger: float) -> None:
        self.redis = connect_redis(url)
        self.channel = Channel(self.redis)
        self.states: dict[bytes, list[State]] = {}
        self.told: list[bool] = []
        self.begun = 0  # the number up to which publishing has begun, as the test says
        self._reread = 0  # what had begun when the feed mended last: a reader reads again from then on
        self._known: dict[bytes, list[int]] = {}  # for each state heard, the number up to which reading again tells all
        self.listener = Listener(self.redis, self._hear, self._tell, linger)
        self.running = asyncio.ensure_future(self.listener.run())
        self._news = asyncio.Event()

    async def join(self, *users: str) -> None:
        for user in users:
            self.listener.listen(channel_of(user))
        for user in users:
            await self.listener.heard(channel_of(user))

    async def publish(self, user: str, number: int, job_id: str = "job") -> None:
        await self.channel.publish([change(user, number, job_id)])

    def numbers(self, user: str) -> list[int]:
        return [state.version.sequence for state in self.states.get(channel_of(user), []) if state.version]

    async def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something is true of what was heard and told."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    def untold(self, user: str) -> list[int]:
        """Return the numbers that no reader was told of: not heard, and called neither broken nor mended since.

        What is heard while the feed is broken ends no gap: all is read again when it mends, whatever was heard meanwhile.
        """
        heard = list(zip(self.numbers(user), self._known.get(channel_of(user), []), strict=True))
        return [n for (a, _), (b, known) in pairwise(heard) for n in range(max(a, known) + 1, b)]

    async def until_heard(self, *users: str) -> None:
        """Publish once for each and wait for it: a whole feed misses nothing."""
        numbers = {user: max(self.numbers(user), default=0) + 1 for user in users}
        for user, number in numbers.items():
            await self.publish(user, number)
        await self.until(lambda: all(number in self.numbers(user) for user, number in numbers.items()))

    async def until_whole(self) -> None:
        await self.until(lambda: self.listener.whole)

    def _hear(self, channel: bytes, message: bytes) -> None:
        state = state_from_message(message)
        self.states.setdefault(channel, []).append(state)
        number = state.version.sequence if state.version else 0
        self._known.setdefault(channel, []).append(self._reread if self.listener.whole else number)
        self._news.set()

    def _tell(self, whole: bool) -> None:
        self.told.append(whole)
        if whole:
            self._reread = self.begun
        self._news.set()


def change(user: str, number: int, job_id: str = "job") -> Change:
    """Return the change of a job to its state of that number."""
    return Change(user, State(job_id, "update", "processing", number, b'{"n":%d}' % number, Version(1, number)))


@asynccontextmanager
async def listening(url: str, linger: float = 0) -> AsyncIterator[Listening]:
    """Listen for as long as the test wants; begins whole."""
    ear = Listening(url, linger)
    try:
        await ear.until_whole()
        yield ear
    finally:
        ear.running.cancel()
        await asyncio.wait([ear.running])
        await ear.channel.close()


async def eventually(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Ask again and again until something is true of a server."""
    async with asyncio.timeout(seconds):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.02)
