"""A job's state at one moment, and which of two states is newer. Pure."""

from hashlib import blake2s
from typing import Literal

from msgspec import Struct, json

from streams.jobs.job import FINAL_STATUSES, Job, public_json

Kind = Literal["update", "done", "deleted"]
Order = Literal["newer", "same", "older", "unsure"]  # how a candidate stands to the state that is shown


class Version(Struct, frozen=True, order=True, gc=False, array_like=True):
    """Where in the table's history a state stands: the stream's birth in Unix milliseconds, and its sequence number."""

    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read what str() wrote; raises ValueError for anything else."""
        epoch, dash, sequence = text.partition("-")
        if not (dash and epoch.isascii() and epoch.isdigit() and sequence.isascii() and sequence.isdigit()):
            raise ValueError(f"{text!r} is not a version; one is <epoch>-<sequence>")
        return cls(int(epoch), int(sequence))


class State(Struct, frozen=True, gc=False):
    """One job at one moment, whole.

    `data` is the public JSON on one line. `version` is None where the state was read from the table,
    which does not tell it. `position` orders all changes of one user's jobs (Redis' clock in
    microseconds, made strictly increasing); 0 where there is none.
    """

    job_id: str
    kind: Kind
    status: str
    updated_at: int
    data: bytes
    version: Version | None = None
    position: int = 0

    @property
    def is_last(self) -> bool:
        """Whether nothing is expected to follow."""
        return self.kind != "update"

    @property
    def id(self) -> str:
        """The SSE id of this state: its version, or a digest of what the table said."""
        return str(self.version) if self.version else self._digest_id

    def has_id(self, known: str) -> bool:
        """Whether a client was told this state by this id: by its version, or before anybody knew that, by its digest."""
        return known in {self.id, self._digest_id}

    @property
    def _digest_id(self) -> str:
        return f"table-{blake2s(self.data, digest_size=8).hexdigest()}"


def state_of(job: Job, version: Version | None = None) -> State:
    """Return the state that an existing job is in."""
    kind: Kind = "done" if job.status in FINAL_STATUSES else "update"
    return State(job.job_id, kind, job.status, job.updated_at, public_json(job), version)


def deletion_of(job_id: str, updated_at: int, version: Version | None = None) -> State:
    """Return the state of a job that is no longer in the table; `updated_at` is the last that it had."""
    return State(job_id, "deleted", "", updated_at, json.encode({"job_id": job_id}), version)


def order(candidate: State, current: State) -> Order:
    """Say whether the candidate is newer than the current state of the same job.

    Versions decide where both have one. Where only one has, `unsure` asks for one consistent read of the
    table: writers' clocks differ, so neither may be believed. Two reads of the table are told apart by
    `updated_at`, as far as whole seconds of several machines can: `unsure` is two different states of the
    same second, a last state that looks older, and a deletion, of which the table tells no time.
    """
    if candidate.version and current.version:
        return "newer" if candidate.version > current.version else _not_newer(candidate.version, current.version)
    if candidate.data == current.data:
        return "same"
    if candidate.version or current.version or "deleted" in {candidate.kind, current.kind}:
        return "unsure"
    if candidate.updated_at > current.updated_at:
        return "newer"
    if candidate.updated_at == current.updated_at or candidate.is_last:
        return "unsure"
    return "older"


def _not_newer(candidate: Version, current: Version) -> Order:
    return "same" if candidate == current else "older"
