"""One state on its way to those who watch it, timed for a trace."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.push.mailbox import Mailbox
from streams.jobs.state import State

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces


class Push:
    """Made before the readers are told; told_soon() writes it down when the frames have been written."""

    def __init__(self, traces: "Traces", state: State, readers: Sequence[Mailbox]) -> None:
        self._traces = traces
        self._state = state
        self._readers = readers
        self._before = self._frames()

    def told_soon(self) -> None:
        """Write it down behind the outbox, which was asked before; a state that was read from the table has no trace."""
        asyncio.get_running_loop().call_soon(self._told)

    def _told(self) -> None:
        state = self._state
        if self._readers and state.version and state.position and self._traces.samples(state):
            self._traces.pushed(state, len(self._readers), self._frames() - self._before)

    def _frames(self) -> int:
        return sum(reader.sent for reader in self._readers)
