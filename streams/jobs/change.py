"""What a write changes for those who watch. Pure."""

from msgspec import Struct

from streams.jobs.job import Job, public
from streams.jobs.state import State, Version, deletion_of, state_of


class Change(Struct, frozen=True, gc=False):
    """A state that one user's watchers must hear of."""

    user_id: str
    state: State


class Before(Struct, frozen=True, gc=False):
    """What an item said before a write: whose job it was, and the job, None where the rest could not be read."""

    user_id: str
    job: Job | None


def changes_between(job_id: str, before: Before | None, after: Job, version: Version) -> list[Change]:
    """Return what watchers must hear of when an item says `after` from now on; `before` is None where nobody's job was there.

    A write that leaves the public fields as they were changes nothing. A job handed to another user is a
    deletion for the first one.
    """
    is_handed_over = before is not None and before.user_id != after.user_id
    changes = removal(job_id, before, version) if is_handed_over else []
    if is_handed_over or before is None or before.job is None or public(before.job) != public(after):
        changes.append(Change(after.user_id, state_of(after, version)))
    return changes


def removal(job_id: str, before: Before | None, version: Version) -> list[Change]:
    """Return what watchers must hear of when an item is gone."""
    if before is None:
        return []
    updated_at = before.job.updated_at if before.job else 0
    return [Change(before.user_id, deletion_of(job_id, updated_at, version))]


def spoiling(job_id: str, before: Before | None, version: Version) -> list[Change]:
    """Return what watchers must hear of when an item can no longer be read as a job.

    For them it is gone, as REST says 404. An item that could not be read before either was told then.
    """
    return removal(job_id, before, version) if before and before.job else []
