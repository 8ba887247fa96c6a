"""The issuer's public keys (JWKS), fetched by one request at a time and not asked again at once after a failure."""

import asyncio
from typing import Any

import jwt

from api.errors import IssuerUnavailable

FETCH_WITHIN = 5.0  # seconds
COOL_DOWN = 5.0  # seconds after a failed fetch in which nobody waits for another


class IssuerKeys:
    """Finds the key that a token names; PyJWT keeps the keys."""

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, timeout=FETCH_WITHIN)
        self._fetching = asyncio.Lock()
        self._failed_at: float | None = None

    async def key_of(self, token: str) -> Any:
        """Return the key; raises IssuerUnavailable where it cannot be had now, jwt.PyJWTError where there is none."""
        loop = asyncio.get_running_loop()
        async with self._fetching:
            if self._failed_at is not None and loop.time() - self._failed_at < COOL_DOWN:
                raise IssuerUnavailable("the issuer's keys could not be fetched just now")
            try:
                key = await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)
            except jwt.PyJWKClientConnectionError as error:
                self._failed_at = loop.time()
                raise IssuerUnavailable(str(error)) from error
            self._failed_at = None
            return key
