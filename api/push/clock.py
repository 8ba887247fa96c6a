"""One clock for all streams of a process. Who is due is looked at; nobody else costs anything while time passes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.push.mailbox import Mailbox


class Clock:
    """Whole seconds since it began, and which mailboxes are to be looked at when."""

    def __init__(self) -> None:
        self.now = 0
        self._due: dict[int, set[Mailbox]] = {}

    def look_at(self, mailbox: "Mailbox", second: int) -> None:
        """Have a mailbox looked at in a second to come."""
        self._due.setdefault(second, set()).add(mailbox)

    def leave(self, mailbox: "Mailbox", second: int) -> None:
        """Have it not looked at in that second after all."""
        if due := self._due.get(second):
            due.discard(mailbox)

    def tick(self) -> None:
        """Let a second pass."""
        self.now += 1
        for mailbox in self._due.pop(self.now, ()):
            mailbox.look()
