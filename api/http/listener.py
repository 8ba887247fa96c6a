"""What the connections of one process share: their bounds, and one look at all of them each second."""

import asyncio
from typing import Protocol

from api.http.bounds import Bounds


class Connection(Protocol):
    """A connection that no stream has taken over."""

    def look(self, now: float) -> None:
        """End it where its time is over."""


class Listener:
    """All connections of a process, but for those of open streams."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._connections: set[Connection] = set()

    def enter(self, connection: Connection) -> None:
        """Keep an eye on a new connection until leave()."""
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a connection: it is closed, or a stream has it."""
        self._connections.discard(connection)

    async def look(self) -> None:
        """Look at all connections; the server calls this each second."""
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            connection.look(now)
