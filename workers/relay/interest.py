"""Whether anybody watches: then idle shards are polled more often."""

import asyncio


class Interest:
    """What the last heartbeat learnt from Redis; until it is known, somebody may be watching."""

    def __init__(self) -> None:
        self.is_there = True
        self._changed = asyncio.Event()

    def note(self, *, is_there: bool) -> None:
        """Take what Redis says; whoever sleeps because nobody watched wakes when somebody does."""
        if is_there and not self.is_there:
            self._changed.set()
            self._changed = asyncio.Event()
        self.is_there = is_there

    async def sleep(self, seconds: float, stopping: asyncio.Event) -> None:
        """Return after some seconds, or when asked to stop, or when somebody begins to watch."""
        if stopping.is_set():
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (stopping, self._changed)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in waits:
                waiting.cancel()
