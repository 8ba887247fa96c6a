"""A lease while this worker holds it."""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from streams.errors import LeaseLost
from streams.feed.lease import Lease
from streams.feed.leases import Leases
from workers.relay.timing import CHECKPOINT_EVERY, HELD_FOR, RENEW_EVERY

FRESH = 5.0  # seconds of lag at which a shard counts as caught up


class Holding:
    """A lease taken, how far its shard was published, and whether it may still be believed in."""

    def __init__(self, leases: Leases, lease: Lease, begun: float, clock: Callable[[], float]) -> None:
        self.checkpoint = lease.checkpoint
        self.gap_found = asyncio.Event()
        self.whole = asyncio.Event()
        (self.gap_found if lease.checkpoint.gap else self.whole).set()
        self._leases = leases
        self._lease = lease
        self._begun = begun
        self._clock = clock
        self._writing = asyncio.Lock()
        self._relayed_until = begun
        self._is_idle = False
        self._was_read = False

    @property
    def shard_id(self) -> str:
        """The shard."""
        return self._lease.shard_id

    def check(self) -> None:
        """Raise LeaseLost where peers may believe by now that this worker is dead."""
        if self._clock() - self._begun >= HELD_FOR:
            raise LeaseLost(f"shard {self.shard_id}: the lease could not be renewed for {HELD_FOR:.0f} s")

    def compare(self, seen: Lease) -> None:
        """Raise LeaseLost where the table shows that another worker took the lease."""
        if seen.counter > self._lease.counter and seen.owner != self._lease.owner:
            raise LeaseLost(f"shard {self.shard_id}: {seen.owner or 'nobody'} holds the lease now")

    @property
    def lag(self) -> float:
        """Return for how many seconds what was written to the shard may be unpublished; 0 while nothing comes."""
        seconds = self._clock() - self._relayed_until
        return 0.0 if self._is_idle and seconds < FRESH else max(0.0, seconds)

    def note_idle(self) -> None:
        """Remember that the shard gave nothing more for a while."""
        self._relayed_until, self._is_idle, self._was_read = self._clock(), True, True

    def note_published(self, sequence: str, age: float) -> None:
        """Remember that everything up to this record is published, which was written so many seconds ago."""
        self.checkpoint = replace(self.checkpoint, sequence=sequence)
        self._relayed_until, self._is_idle, self._was_read = self._clock() - age, False, True

    def note_gap(self) -> None:
        """Remember that records were lost, until finish() or mended() saves it."""
        self.checkpoint = replace(self.checkpoint, sequence=None, gap=True)
        self.whole.clear()
        self.gap_found.set()

    def is_due(self) -> bool:
        """Say whether it is time to write: to save what was published, or to show that this worker lives."""
        age = self._clock() - self._begun
        return age >= RENEW_EVERY or (age >= CHECKPOINT_EVERY and self.checkpoint != self._lease.checkpoint)

    async def save(self) -> None:
        """Renew the lease and save the checkpoint; raises LeaseLost where another worker holds it."""
        await self._write(self._lease.owner)

    async def release(self) -> None:
        """Save the checkpoint and hand the lease back, for a peer to take at once."""
        await self._write(None)

    async def _write(self, owner: str | None) -> None:
        async with self._writing:
            while True:
                begun = self._clock()
                new = replace(
                    self._lease,
                    owner=owner,
                    counter=self._lease.counter + 1,
                    checkpoint=self.checkpoint,
                    caught_up=self._was_read and self.lag < FRESH,
                )
                if await self._leases.swap(self._lease, new):
                    break
                await self._look_again()
            self._lease, self._begun = new, begun

    async def _look_again(self) -> None:
        """Find out why a write was refused: our own earlier one was taken and its answer lost, or we were robbed."""
        now = await self._leases.get(self.shard_id)
        if now is None or now.owner != self._lease.owner:
            raise LeaseLost(f"shard {self.shard_id}: {(now and now.owner) or 'nobody'} holds the lease now")
        self._lease = now

    async def finish(self) -> None:
        """Save that the shard was read to its end."""
        self.checkpoint = replace(self.checkpoint, done=True)
        await self.save()

    async def mended(self) -> None:
        """Save that its gap was mended, unless another was found meanwhile."""
        self.checkpoint = replace(self.checkpoint, gap=self.gap_found.is_set())
        await self.save()
        if not self.gap_found.is_set():
            self.whole.set()
