"""One clock for all streams of a process: only who is due is looked at; nobody else costs anything while time passes."""

from typing import Protocol


class Timed(Protocol):
    """What the clock looks at when it is due."""

    def look(self) -> None:
        """Do what is due."""


class Clock:
    """Whole seconds since it began, and what is to be looked at when."""

    def __init__(self) -> None:
        self.now = 0
        self._due: dict[int, set[Timed]] = {}

    def look_at(self, timed: Timed, second: int) -> None:
        """Have it looked at in a second to come."""
        self._due.setdefault(second, set()).add(timed)

    def leave(self, timed: Timed, second: int) -> None:
        """Have it not looked at in that second after all."""
        if due := self._due.get(second):
            due.discard(timed)

    def tick(self) -> None:
        """Let a second pass."""
        self.now += 1
        for timed in self._due.pop(self.now, ()):
            timed.look()
