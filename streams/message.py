r"""A state on its way through Redis: one line of head, then the public JSON. Pure.

    <version> <kind> <updated_at> <status> <job_id> <position>\n<public JSON>

Status and job id are percent-encoded. The head says all that a process needs to route a message and to
order it, so the JSON is passed on undecoded. The position comes last because Redis itself appends it.
"""

from typing import cast, get_args
from urllib.parse import quote, unquote

from streams.state import Kind, State, Version

KINDS = get_args(Kind)


def head_of(state: State) -> str:
    """Return the head without the position; the state must have a version."""
    return f"{state.version} {state.kind} {state.updated_at} {quote(state.status, '')} {quote(state.job_id, '')}"


def message_of(state: State, position: int) -> bytes:
    """Return the message of a state at a position, as streams/publish.lua makes it."""
    return f"{head_of(state)} {position}\n".encode() + state.data


def state_from_message(message: bytes) -> State:
    """Read a message; raises ValueError where it is none."""
    head, _, data = message.partition(b"\n")
    version, kind, updated_at, status, job_id, position = head.decode().split(" ")
    epoch, sequence = version.split("-")
    if not data:
        raise ValueError(f"message {head!r} ends before its JSON")
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of state; one is {', '.join(KINDS)}")
    return State(
        unquote(job_id),
        cast("Kind", kind),
        unquote(status),
        int(updated_at),
        data,
        Version(int(epoch), int(sequence)),
        int(position),
    )
