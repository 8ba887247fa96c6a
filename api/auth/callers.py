"""Callers whose tokens were checked a moment ago: a client that asks often shows the same token each time."""

import time
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct

LEEWAY = 10  # seconds that clocks may differ
KEPT = 60.0  # seconds; an issuer that takes a key back, and a clock that was set, are believed no later
MOST = 4096  # callers


class Caller(Struct, frozen=True):
    """Who asks, and when the token that says so ends (Unix seconds)."""

    user_id: str
    expires: int | None = None


class KnownCallers:
    """The newest callers, by a digest of their tokens: nobody who reads this memory can show one."""

    def __init__(
        self, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._now = now
        self._clock = clock
        self._most = most
        self._callers: dict[bytes, tuple[Caller, float]] = {}  # from the oldest on

    def add(self, token: str, caller: Caller) -> None:
        """Remember the caller of a token that holds."""
        name = _digest(token)
        self._callers.pop(name, None)
        if len(self._callers) >= self._most:
            del self._callers[next(iter(self._callers))]
        self._callers[name] = caller, self._clock() + KEPT

    def of(self, token: str) -> Caller | None:
        """Return the caller of a token that need not be checked again; None where it must."""
        caller, until = self._callers.get(_digest(token), (None, 0.0))
        if caller is None or caller.expires is None:
            return None
        if self._clock() >= until or caller.expires <= self._now() - LEEWAY:
            return None
        return caller


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
