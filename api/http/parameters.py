"""What a request may say; anything else is refused by name, with what is allowed. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from unicodedata import category
from urllib.parse import parse_qsl

from msgspec import Struct

from api.errors import ParameterRefused
from streams.jobs.item import LARGEST
from streams.jobs.job import STATUSES
from streams.jobs.selection import READ_JOBS, SORTS, Order, Selection, Span, folded

LONGEST_JOB_ID = 2048  # bytes, DynamoDB's limit for a partition key
LONGEST_Q = 200  # characters
LIST_PARAMETERS = ("status", "created_after", "created_before", "q", "sort", "page_size", "page", "cursor")
LARGEST_PAGE, DEFAULT_PAGE = 100, 20  # jobs

TIMES = "Unix seconds, or ISO 8601 with an offset such as 2026-11-23T08:30:00Z (a + in it is written %2B)"
SORT_WORDS = tuple(f"{sign}{name}" for name in SORTS for sign in ("", "-"))
LOST_FIRST, LOST_LAST = "\udc80", "\udcff"  # what stands for bytes that are not UTF-8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHOLE = re.compile(r"[0-9]{1,6}", re.ASCII)
SECONDS = re.compile(r"-?[0-9]{1,16}", re.ASCII)
CLOCK = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
    r"(?:(?<=:\d\d:\d\d)[.,](\d{1,9}))?"  # of a second, not of a minute
    r"(Z|[+-]\d\d(?::?\d\d)?)",
    re.ASCII,
)


class ListRequest(Struct, frozen=True):
    """A request for a page of a list; the first page where neither a page nor a cursor is given."""

    selection: Selection
    order: Order
    page_size: int = DEFAULT_PAGE
    page: int | None = None
    cursor: str = ""

    def __post_init__(self) -> None:
        """Refuse what no single parameter tells."""
        if self.cursor and self.page:
            raise ParameterRefused("page", "given beside a cursor", "one of the two")
        if self.page and self.page * self.page_size > READ_JOBS:
            raise ParameterRefused(
                "page", str(self.page), f"what lies in the first {READ_JOBS} jobs; beyond them, cursor"
            )


def check_query(query: bytes) -> None:
    """Refuse parameters that the list does not know, and values that are no text."""
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        if name not in LIST_PARAMETERS:
            shown = name[:50].encode(errors="replace").decode()
            raise ParameterRefused(shown, "not a parameter of the list", ", ".join(LIST_PARAMETERS))
        if any(LOST_FIRST <= character <= LOST_LAST for character in value):
            raise ParameterRefused(name, "not in UTF-8", "UTF-8, percent-encoded")


def one_from(parameter: str, given: Iterable[str] | None) -> str:
    """Read a parameter of which one value counts; an empty text stands for none, as forms send it."""
    values = list(dropwhile(lambda value: not value, given or ()))
    if len(values) > 1:
        raise ParameterRefused(parameter, "given more than once", "one value")
    return values[0] if values else ""


def whole_from(parameter: str, given: str, most: int) -> int | None:
    """Read a whole number from 1 on; None where nothing is given."""
    if not given:
        return None
    if not (WHOLE.fullmatch(given) and 1 <= int(given) <= most):
        raise ParameterRefused(parameter, repr(given[:50]), f"a whole number from 1 to {most}")
    return int(given)


def statuses_from(given: Iterable[str] | None) -> list[str]:
    """Read a status parameter, repeated or comma-separated; none or an empty one stands for all."""
    statuses = [status.strip() for text in given or () for status in text.split(",") if status.strip()]
    for status in statuses:
        if status not in STATUSES:
            raise ParameterRefused("status", repr(status[:50]), ", ".join(STATUSES))
    return list(dict.fromkeys(statuses))


def span_from(after: str, before: str) -> Span:
    """Read the times between which jobs were created; nothing given stands for no limit."""
    whole = Span()
    start, end = time_from("created_after", after), time_from("created_before", before)
    return Span(whole.start if start is None else start, whole.end if end is None else end)


def time_from(parameter: str, given: str) -> int | None:
    """Read a time as the first whole Unix second that is not before it; None where nothing is given."""
    text = given.strip()
    if not text:
        return None
    second = int(text) if SECONDS.fullmatch(text) else _clock(text)
    if second is None or abs(second) > LARGEST:
        raise ParameterRefused(parameter, repr(text[:50]), TIMES)
    return second


def _clock(text: str) -> int | None:
    """Seconds have no fractions in the table's index, so what lies between two counts as the later one."""
    found = CLOCK.fullmatch(text.upper())
    if not found:
        return None
    moment, fraction, offset = found.groups("")
    try:
        second = (datetime.fromisoformat(moment + offset) - EPOCH) // timedelta(seconds=1)
    except ValueError:
        return None
    return second + bool(fraction.strip("0"))


def words_from(given: str) -> tuple[str, ...]:
    """Read a search as the words that are all to be found, in whatever order and case."""
    if len(given) > LONGEST_Q:
        raise ParameterRefused("q", f"{len(given)} characters long", f"at most {LONGEST_Q} characters")
    return tuple(sorted(set(folded(given).split())))


def order_from(given: str) -> Order:
    """Read a sort; an empty one stands for the youngest first."""
    if not given:
        return Order()
    if given not in SORT_WORDS:
        raise ParameterRefused("sort", repr(given[:50]), ", ".join(SORT_WORDS))
    return Order(given.removeprefix("-"), given.startswith("-"))


def job_id_from(given: str) -> str:
    """Read a job id from a path."""
    if not 0 < len(given.encode()) <= LONGEST_JOB_ID:
        raise ParameterRefused("job_id", f"{len(given.encode())} bytes long", f"1 to {LONGEST_JOB_ID} bytes")
    if any(category(character) == "Cc" for character in given):
        raise ParameterRefused("job_id", repr(given[:50]), "no control characters")
    return given
