"""DynamoDB's typed JSON (`{"S": "text"}`, `{"N": "1"}`) read as a job. Pure.

Writers are not ours: an optional attribute of the wrong type is left out and named, never an error.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any

from msgspec import Struct

from streams.errors import ItemRefused
from streams.jobs.job import Job

SHOWN = 100  # characters of what was refused
PLAIN = 15  # digits that are surely below the largest
LARGEST = 2**53  # beyond it neither JavaScript nor JSON keeps every integer


class Attribute(Struct, frozen=True, rename=str.upper, gc=False):
    """One attribute value; types that no job attribute has are skipped while decoding."""

    s: str | None = None
    n: str | None = None
    l: list["Attribute"] | None = None  # noqa: E741 - DynamoDB's name
    null: bool | None = None


class Item(Struct, frozen=True, gc=False):
    """The attributes of a table item that Headway reads; unknown ones are skipped while decoding."""

    job_id: Attribute | None = None
    user_id: Attribute | None = None
    status: Attribute | None = None
    created_at: Attribute | None = None
    updated_at: Attribute | None = None
    stage: Attribute | None = None
    thumbnail_url: Attribute | None = None
    audio_url: Attribute | None = None
    scenes_completed: Attribute | None = None
    scenes_total: Attribute | None = None
    scenes: Attribute | None = None
    scene_video_urls: Attribute | None = None
    prompt: Attribute | None = None
    duration: Attribute | None = None
    title: Attribute | None = None
    video_url: Attribute | None = None
    error_message: Attribute | None = None
    completed_at: Attribute | None = None


def job_from_item(item: Item) -> tuple[Job, list[str]]:
    """Return the job and the names of the attributes that were left out because of their type.

    Raises ItemRefused where an id, the status or one of the first two times is missing or of the wrong type.
    """
    wrong: list[str] = []
    values: dict[str, Any] = {}
    for name, field, reader in READERS:
        attribute = getattr(item, name)
        if attribute is None or attribute.null:
            continue
        value = reader(attribute)
        if value is None:
            wrong.append(name)
        elif value or name in REQUIRED:  # What is empty is as good as absent; a time may be 0.
            values[field] = value
    for name in REQUIRED:
        if values.get(name) in LACKING:
            raise _refusal(item, name)
    return Job(**values), wrong


def _refusal(item: Item, name: str) -> ItemRefused:
    found = getattr(item, name)
    if found and name == "user_id":
        found = "not text"  # This is logged, and whose a job is, is personal.
    job_id = item.job_id.s if item.job_id else None
    return ItemRefused(f"item {str(job_id)[:SHOWN]!r}: {name} is {str(found or 'missing')[:SHOWN]}, a job needs one")


_text = attrgetter("s")  # Half of all that is read, and three times as fast as a function of ours.


def _texts(attribute: Attribute) -> tuple[str, ...] | None:
    if attribute.l is None:
        return None
    texts = [entry.s for entry in attribute.l if entry.s is not None]
    return tuple(texts) if len(texts) == len(attribute.l) else None


def _length(attribute: Attribute) -> int | None:
    return None if attribute.l is None else len(attribute.l)


def _whole(attribute: Attribute) -> int | None:
    text = attribute.n
    if text is not None and len(text) <= PLAIN and text.isascii() and text.isdigit():
        return int(text)  # Nearly every number; Decimal takes ten times as long.
    number = _number(attribute)
    return None if number is None else int(number // 1)


def _count(attribute: Attribute) -> int | None:
    number = _whole(attribute)
    return None if number is None else max(number, 0)


def _number(attribute: Attribute) -> int | float | None:
    text = attribute.n
    if text is None:
        return None
    if len(text) <= PLAIN and text.isascii() and text.isdigit():
        return int(text)  # Nearly every number; Decimal takes ten times as long.
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.copy_abs() > LARGEST:  # abs() itself overflows
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def time_of(attribute: Attribute) -> int | None:
    """Read a time as that of a job is read: whole Unix seconds, None where it is no number."""
    return _whole(attribute)


LACKING = (None, "")
REQUIRED = ("job_id", "user_id", "status", "created_at", "updated_at")
READERS: tuple[tuple[str, str, Callable[[Attribute], object]], ...] = (
    ("job_id", "job_id", _text),
    ("user_id", "user_id", _text),
    ("status", "status", _text),
    ("created_at", "created_at", _whole),
    ("updated_at", "updated_at", _whole),
    ("stage", "stage", _text),
    ("thumbnail_url", "thumbnail_url", _text),
    ("audio_url", "audio_url", _text),
    ("scenes_completed", "scenes_completed", _count),
    ("scenes_total", "scenes_total", _count),
    ("scenes", "scenes_listed", _length),
    ("scene_video_urls", "scene_video_urls", _texts),
    ("prompt", "prompt", _text),
    ("duration", "duration", _number),
    ("title", "title", _text),
    ("video_url", "video_url", _text),
    ("error_message", "error_message", _text),
    ("completed_at", "completed_at", _whole),
)
