"""What a write changes for those who watch. Pure."""

from msgspec import Struct

from streams.jobs.job import Job, public
from streams.jobs.state import State, Version, deletion_of, state_of


class Change(Struct, frozen=True, gc=False):
    """A state that one user's watchers must hear of."""

    user_id: str
    state: State


def changes_between(before: Job | None, after: Job | None, version: Version) -> list[Change]:
    """Return what watchers must hear of after a write; None stands for no job.

    A write that leaves the public fields as they were changes nothing. A job handed to another user is a
    deletion for the first one.
    """
    if after is None:
        return _deletion(before, version)
    is_handed_over = before is not None and before.user_id != after.user_id
    changes = _deletion(before, version) if is_handed_over else []
    if is_handed_over or before is None or public(before) != public(after):
        changes.append(Change(after.user_id, state_of(after, version)))
    return changes


def _deletion(before: Job | None, version: Version) -> list[Change]:
    if before is None:
        return []
    return [Change(before.user_id, deletion_of(before.job_id, before.updated_at, version))]
