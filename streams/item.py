"""DynamoDB's typed JSON (`{"S": "text"}`, `{"N": "1"}`) read as a job. Pure.

Writers are not ours: an optional attribute of the wrong type is left out and named, never an error.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from msgspec import Struct

from streams.errors import ItemRefused
from streams.job import Job

T = TypeVar("T")

SHOWN = 100  # characters of what was refused
SHORT = 16  # digits; a number with fewer is not too large, and needs no Decimal
LARGEST = 2**53  # beyond it neither JavaScript nor JSON keeps every integer


class Attribute(Struct, frozen=True, rename=str.upper, gc=False):
    """One attribute value; types that no job attribute has are skipped while decoding."""

    s: str | None = None
    n: str | None = None
    l: list["Attribute"] | None = None  # noqa: E741 - DynamoDB's name
    null: bool | None = None


class Item(Struct, frozen=True):
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

    def read(name: str, reader: Callable[[Attribute], T | None]) -> T | None:
        attribute = getattr(item, name)
        if attribute is None or attribute.null:
            return None
        value = reader(attribute)
        if value is None:
            wrong.append(name)
        return value

    job = Job(
        job_id=_required(item, "job_id", read("job_id", _text)),
        user_id=_required(item, "user_id", read("user_id", _text)),
        status=_required(item, "status", read("status", _text)),
        created_at=_required(item, "created_at", read("created_at", _whole)),
        updated_at=_required(item, "updated_at", read("updated_at", _whole)),
        stage=read("stage", _text) or None,
        thumbnail_url=read("thumbnail_url", _text) or None,
        audio_url=read("audio_url", _text) or None,
        scenes_completed=max(read("scenes_completed", _whole) or 0, 0),
        scenes_total=max(read("scenes_total", _whole) or 0, 0) or None,
        scenes_listed=read("scenes", _length) or 0,
        scene_video_urls=read("scene_video_urls", _texts) or (),
        prompt=read("prompt", _text) or None,
        duration=read("duration", _number) or None,
        title=read("title", _text) or None,
        video_url=read("video_url", _text) or None,
        error_message=read("error_message", _text) or None,
        completed_at=read("completed_at", _whole) or None,
    )
    return job, wrong


def _required(item: Item, name: str, value: T | None) -> T:
    if value is None or value == "":
        found = getattr(item, name)
        job_id = item.job_id.s if item.job_id else None
        raise ItemRefused(f"item {str(job_id)[:SHOWN]!r}: {name} is {str(found or 'missing')[:SHOWN]}, a job needs one")
    return value


def _text(attribute: Attribute) -> str | None:
    return attribute.s


def _texts(attribute: Attribute) -> tuple[str, ...] | None:
    if attribute.l is None or any(entry.s is None for entry in attribute.l):
        return None
    return tuple(entry.s for entry in attribute.l if entry.s is not None)


def _length(attribute: Attribute) -> int | None:
    return None if attribute.l is None else len(attribute.l)


def _whole(attribute: Attribute) -> int | None:
    number = _number(attribute)
    return None if number is None else int(number // 1)


def _number(attribute: Attribute) -> int | float | None:
    text = attribute.n
    if text is None:
        return None
    if len(text) < SHORT and text.isascii() and text.isdigit():
        return int(text)
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
