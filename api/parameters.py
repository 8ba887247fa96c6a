"""What a request may say; anything else is refused by name, with what is allowed. Pure."""

from collections.abc import Iterable
from unicodedata import category

from api.errors import ParameterRefused
from streams.job import STATUSES

LONGEST_JOB_ID = 2048  # bytes, DynamoDB's limit for a partition key


def statuses_from(given: Iterable[str] | None) -> list[str]:
    """Read a status parameter, repeated or comma-separated; none or an empty one stands for all."""
    statuses = [status.strip() for text in given or () for status in text.split(",") if status.strip()]
    for status in statuses:
        if status not in STATUSES:
            raise ParameterRefused("status", repr(status[:50]), ", ".join(STATUSES))
    return list(dict.fromkeys(statuses))


def job_id_from(given: str) -> str:
    """Read a job id from a path."""
    if not 0 < len(given.encode()) <= LONGEST_JOB_ID:
        raise ParameterRefused("job_id", f"{len(given.encode())} bytes long", f"1 to {LONGEST_JOB_ID} bytes")
    if any(category(character) == "Cc" for character in given):
        raise ParameterRefused("job_id", repr(given[:50]), "no control characters")
    return given
