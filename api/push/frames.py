"""What goes over an SSE connection, as bytes, each frame in a chunk of HTTP/1.1 (RFC 9112, 7.1). Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from msgspec import Struct

from streams.jobs.state import State

LONGEST_POSITION = 16  # digits, microseconds up to the year 2286; DynamoDB refuses more than 38


def chunk(frame: bytes) -> bytes:
    """Put a frame into a chunk of its own: it is made once, and the same bytes go to every reader."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


PING = chunk(b": ping\n\n")
BYE = chunk(b": bye, come back\n\n")
EXPIRING = chunk(b"event: expiring\ndata: {}\n\n")
LAST = b"0\r\n\r\n"  # the chunk that ends a response


def live(position: int) -> bytes:
    """Say that all states have been told, and everything up to a position."""
    return chunk(b"event: live\nid: @%d\ndata: {}\n\n" % position)


def stale(data: bytes, since: int | None = None) -> bytes:
    """Say that what is shown may be old, and from which position on a client that comes back has to be told."""
    place = b"" if since is None else b"id: @%d\n" % since
    return chunk(b"event: stale\n%bdata: %b\n\n" % (place, data))


def retry(milliseconds: int) -> bytes:
    """Say how long a client waits before it comes back; no chunk, for the HTTP server sends it with the head."""
    return b"retry: %d\n\n" % milliseconds


def position_of(last_event_id: str) -> int | None:
    """Read the position out of an id of the stream of all jobs, None where it holds none."""
    position = last_event_id.rpartition("@")[2] if "@" in last_event_id else ""
    known = position.isascii() and position.isdigit() and len(position) <= LONGEST_POSITION
    return int(position) if known else None


class Event(Struct, eq=False, gc=False):
    """A state and its frames.

    `position` is how far a reader of all jobs has been told with this. `is_shared` says that several are told when it comes:
    then each frame is rendered once for all, and kept. What is kept is cold by the time that it is let go, and costs more than rendering it.
    """

    state: State
    position: int
    is_shared: bool = False
    _of_one: bytes | None = None
    _of_all: bytes | None = None

    @property
    def of_one(self) -> bytes:
        """The frame on the stream of this one job."""
        if self._of_one:
            return self._of_one
        state, version = self.state, self.state.version
        name = f"{version.epoch}-{version.sequence}" if version else state.id
        frame = _frame(f"event: {state.kind}\nid: {name}\ndata: ".encode(), state.data)
        if self.is_shared:
            self._of_one = frame
        return frame

    @property
    def of_all(self) -> bytes:
        """The frame on the stream of all the user's jobs; one without a version leaves the client's position as it was."""
        if self._of_all:
            return self._of_all
        state = self.state
        place = f"id: {state.version}@{self.position}\n" if state.version else ""
        frame = _frame(f"event: {state.kind}\n{place}data: ".encode(), state.data)
        if self.is_shared:
            self._of_all = frame
        return frame


def _frame(head: bytes, data: bytes) -> bytes:
    return b"".join((b"%x\r\n" % (len(head) + len(data) + 2), head, data, b"\n\n\r\n"))
