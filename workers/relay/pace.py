"""How long to wait before a shard is asked again. Pure."""

BACKLOG = (
    100  # records in one page, more than ten pages a second bring of a shard at its limit of 1,000 writes a second
)
IDLE_AFTER = 5  # empty polls
HOT_PAUSE = 0.1
HOT_FOR = 50  # empty polls, some 5 seconds, before the pauses grow
GROWTH = 1.25
LONGEST_PAUSE = 1.0  # while nobody watches anything
WATCHED_PAUSE = 0.2  # the longest while somebody does
COLD_AFTER = HOT_FOR + 20  # empty polls, when the pauses have grown to the longest


class Pace:
    """At once behind a page of a backlog, ten times a second while records come, then less and less.

    Idle, a shard is polled five times a second while somebody watches anything, and once a second else.
    """

    def __init__(self) -> None:
        self._empty = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing came several times in a row; one empty page says nothing."""
        return self._empty >= IDLE_AFTER

    def pause_after(self, records: int, *, is_watched: bool = False) -> float:
        """Return the seconds to wait after a page with so many records."""
        if records >= BACKLOG:
            self._empty = 0
            return 0.0
        self._empty = 0 if records else min(self._empty + 1, COLD_AFTER)
        longest = WATCHED_PAUSE if is_watched else LONGEST_PAUSE
        return min(HOT_PAUSE * GROWTH ** max(0, self._empty - HOT_FOR), longest)
