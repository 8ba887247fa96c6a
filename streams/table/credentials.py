"""The keys that AWS calls are signed with, from wherever botocore finds them, and read anew when AWS refuses them."""

import asyncio
import time
from collections.abc import Callable

import structlog
from botocore.exceptions import BotoCoreError
from botocore.session import Session, get_session

from streams.errors import TableUnavailable
from streams.table.signing import Keys

log = structlog.get_logger()

FRESH = 60.0  # seconds for which keys are used unasked; botocore renews them 10 minutes and more ahead


class CredentialSource:
    """Gives the keys of one service's calls.

    botocore renews what it knows to end (roles, containers, instances). A credentials file it reads once, whoever
    rotates it: so a new session, which reads everything again, takes the place of one whose keys were refused.
    """

    def __init__(self, session: Session, anew: Callable[[], Session] = get_session) -> None:
        self._session = session
        self._anew = anew
        self._keys: Keys | None = None
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def keys(self) -> Keys:
        """Return the keys; raises TableUnavailable where there are none."""
        if self._keys is None or time.monotonic() > self._until:
            async with self._reading:
                if self._keys is None or time.monotonic() > self._until:
                    await self._read()
        assert self._keys  # noqa: S101 - _read() raises where there are none
        return self._keys

    async def renew(self, refused: Keys) -> None:
        """Read everything again, unless somebody did since these keys were given."""
        async with self._reading:
            if self._keys == refused:
                log.warning("credentials read anew", access_key=refused.access_key)
                self._session = await asyncio.to_thread(self._anew)
                await self._read()

    async def _read(self) -> None:
        # In a thread: it may ask a file, a process or another service.
        self._keys = await asyncio.to_thread(self._fresh)
        self._until = time.monotonic() + FRESH

    def _fresh(self) -> Keys:
        try:
            credentials = self._session.get_credentials()
            if credentials is None:
                raise TableUnavailable("AWS credentials were not found")
            frozen = credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise TableUnavailable(f"AWS credentials: {error}") from error
        keys = Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)
        # They become headers: a line break, as files end with one, would end the request's head.
        words = f"{keys.access_key}{keys.token or ''}"
        if not (words.isprintable() and words.isascii()):
            raise TableUnavailable("AWS credentials: the access key or the session token is no line of text")
        return keys
