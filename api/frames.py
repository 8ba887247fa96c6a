"""What goes over an SSE connection, as bytes. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from streams.state import State

PING = b": ping\n\n"
LONGEST_POSITION = 16  # digits, microseconds up to the year 2286; DynamoDB refuses more than 38
BYE = b": bye, come back\n\n"
EXPIRING = b"event: expiring\ndata: {}\n\n"
STALE = b"event: stale\ndata: {}\n\n"


def retry(milliseconds: int) -> bytes:
    """Say how long a client waits before it comes back."""
    return b"retry: %d\n\n" % milliseconds


def live(position: int) -> bytes:
    """Say that all states have been told, and everything up to a position."""
    return b"event: live\nid: @%d\ndata: {}\n\n" % position


def position_of(last_event_id: str) -> int | None:
    """Read the position out of an id of the stream of all jobs, None where it holds none."""
    position = last_event_id.rpartition("@")[2] if "@" in last_event_id else ""
    known = position.isascii() and position.isdigit() and len(position) <= LONGEST_POSITION
    return int(position) if known else None


class Event:
    """A state and its frames, each rendered once for all who are told at the same time."""

    __slots__ = ("_of_all", "_of_one", "position", "state")

    def __init__(self, state: State, position: int | None = None) -> None:
        """`position` is how far a reader of all jobs has been told with this; that of the state by default."""
        self.state = state
        self.position = state.position if position is None else position
        self._of_one: bytes | None = None
        self._of_all: bytes | None = None

    @property
    def of_one(self) -> bytes:
        """The frame on the stream of this one job."""
        if self._of_one is None:
            self._of_one = self._render(f"id: {self.state.id}\n".encode())
        return self._of_one

    @property
    def of_all(self) -> bytes:
        """The frame on the stream of all the user's jobs; one without a version leaves the client's position as it was."""
        if self._of_all is None:
            place = f"id: {self.state.version}@{self.position}\n" if self.state.version else ""
            self._of_all = self._render(place.encode())
        return self._of_all

    def forget_frames(self) -> None:
        """Keep the state only; whoever comes late has the frame rendered again."""
        self._of_one = self._of_all = None

    def _render(self, identity: bytes) -> bytes:
        return b"event: %s\n%sdata: %s\n\n" % (self.state.kind.encode(), identity, self.state.data)
