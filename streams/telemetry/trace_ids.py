"""The ids of a trace, from a stream record to the frames that show it. Pure.

Redis carries nothing for traces. All ids follow from the job and the version of a state, so the relay and every
api process name the same trace, and agree on whether it is sampled, without telling each other.
"""

from hashlib import blake2s

from msgspec import Struct

from streams.jobs.state import State


class Times(Struct, frozen=True):
    """When a record was created, read, handed to Redis, and answered; Unix nanoseconds."""

    created: int
    read: int
    publishing: int
    published: int


def trace_id_of(state: State) -> int:
    """Return the id of the trace of a state that has a version."""
    return _digest("trace", state.job_id, str(state.version), size=16)


def span_id_of(name: str, state: State) -> int:
    """Return the id of the relay's span of this name; two users may be told of one version, in different ways."""
    return _digest(name, state.kind, state.job_id, str(state.version), size=8)


def _digest(*words: str, size: int) -> int:
    return int.from_bytes(blake2s("\0".join(words).encode(), digest_size=size).digest())
