"""The key of the cursors: set by the operator, or made once and kept in Redis for all processes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from secrets import token_bytes

import structlog

from api.rest.cursor import Cursors
from streams.errors import ChannelUnavailable
from streams.settings import Settings

log = structlog.get_logger()

REDIS_WITHIN = 1.0  # seconds
ASK_AGAIN = 5.0  # seconds after Redis did not answer


class CursorKey:
    """Finds the key when it is first needed; `shared` reads the one in Redis.

    While Redis is away, and the key was not read before, this process signs with a key of its own: the list works, and
    a cursor that goes to another process is refused.
    """

    def __init__(self, settings: Settings, shared: Callable[[], Awaitable[bytes]]) -> None:
        secret = settings.cursor_secret or settings.auth_secret
        self._shared = shared
        self._cursors = Cursors(secret.encode()) if secret else None
        self._own = Cursors(token_bytes(32))
        self._ask_at = 0.0

    async def cursors(self) -> Cursors:
        """Return the cursors of all processes."""
        if self._cursors is None and time.monotonic() >= self._ask_at:
            try:
                async with asyncio.timeout(REDIS_WITHIN):
                    self._cursors = Cursors(await self._shared())
            except (ChannelUnavailable, TimeoutError) as error:
                self._ask_at = time.monotonic() + ASK_AGAIN
                log.warning("cursors are this process's own", reason=str(error) or "Redis does not answer")
        return self._cursors or self._own
