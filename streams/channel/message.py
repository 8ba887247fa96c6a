r"""A state on its way through Redis: one line of head, then the public JSON. Pure.

    [[<epoch>,<sequence>],<kind>,<updated_at>,<status>,<job_id>,<position>]\n<public JSON>

The head is all that a process needs to route a message and to order it, so the JSON is passed on undecoded.
The position comes last because Redis itself appends it.
"""

from msgspec import Struct, json

from streams.jobs.state import Kind, State, Version


class _Head(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    version: Version
    kind: Kind
    updated_at: int
    status: str
    job_id: str
    position: int


_decode = json.Decoder(_Head).decode


def head_of(state: State) -> bytes:
    """Return the head without the position and without its end; the state must have a version."""
    return json.encode((state.version, state.kind, state.updated_at, state.status, state.job_id))[:-1]


def completed(head: bytes, position: bytes, data: bytes) -> bytes:
    """Return the message of a head, as streams/channel/publish.lua makes it."""
    return b"%b,%b]\n%b" % (head, position, data)


def message_of(state: State) -> bytes:
    """Return the message of a state that has a version and a position."""
    return completed(head_of(state), b"%d" % state.position, state.data)


def state_from_message(message: bytes) -> State:
    """Read a message; raises ValueError where it is none."""
    line, _, data = message.partition(b"\n")
    head = _decode(line)
    if not data:
        raise ValueError(f"message {line!r} ends before its JSON")
    return State(head.job_id, head.kind, head.status, head.updated_at, data, head.version, head.position)
