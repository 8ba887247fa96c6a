"""Which of a user's jobs a list shows, in what order, and a place in that order. Pure."""

import re
from collections.abc import Callable
from decimal import Context, Decimal
from unicodedata import normalize

from msgspec import Struct

from streams.jobs.item import LARGEST, Item
from streams.jobs.job import Job

READ_JOBS = 10_000  # jobs, matching or not, that one request reads at most to make its page
READ_CALLS = 100  # calls of DynamoDB, 1 MB each, that it makes at most for its page, and again for its count

# DynamoDB's limits for what a query may begin after.
LONGEST_KEY = 2048  # bytes of a partition key
MOST_DIGITS, SMALLEST = 38, -130  # significant digits, and power of ten, of a number
NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?(E[+-]?[0-9]{1,3})?", re.IGNORECASE)
EXACT = Context(prec=120)

Value = int | float | str
Rank = tuple[Value, str]

SORTS: dict[str, Callable[[Job], Value]] = {
    "created_at": lambda job: job.created_at,
    "updated_at": lambda job: job.updated_at,
    "duration": lambda job: job.duration or 0,
    "status": lambda job: job.status,
    "progress_percent": lambda job: job.progress_percent,
}


class Span(Struct, frozen=True):
    """Unix seconds in which a job was created: from `start` on and before `end`."""

    start: int = -LARGEST
    end: int = LARGEST + 1

    @property
    def is_empty(self) -> bool:
        """Whether no second lies in it."""
        return self.start >= self.end

    @property
    def is_everything(self) -> bool:
        """Whether every job's time lies in it."""
        return self == Span()


class Selection(Struct, frozen=True):
    """The jobs of a user that a list shows: in one of the statuses (all where none is named), in the span, with all words."""

    user_id: str
    statuses: tuple[str, ...] = ()
    span: Span = Span()
    words: tuple[str, ...] = ()

    def has_words(self, item: Item) -> bool:
        """Whether every word is in the prompt or the title, in whatever case."""
        if not self.words:
            return True
        texts = (attribute.s for attribute in (item.prompt, item.title) if attribute and attribute.s)
        text = folded("\n".join(texts))
        return all(word in text for word in self.words)


def folded(text: str) -> str:
    """A text as searches compare it: without case, and an accent the same whether it is a character of its own or not."""
    return normalize("NFC", text.casefold())


class Place(Struct, frozen=True, array_like=True):
    """A place in an order: what follows it is what comes after a job of this value and id.

    `stored` is that job's created_at as the table holds it, and only set where more jobs are of that second than can
    be put in order: then what follows is what comes after it in the index.
    """

    value: Value
    job_id: str
    stored: str = ""


class Order(Struct, frozen=True):
    """The order of a list; jobs of the same value stand in the order of their ids, in the same direction.

    What has no duration stands as 0.
    """

    by: str = "created_at"
    descending: bool = True

    def sorted(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs in this order."""
        return sorted(jobs, key=self._rank, reverse=self.descending)

    def place_of(self, job: Job) -> Place:
        """Return the place right after a job."""
        return Place(*self._rank(job))

    def is_after(self, job: Job, place: Place) -> bool:
        """Whether a job comes after a place."""
        rank, mark = self._rank(job), (place.value, place.job_id)
        return rank < mark if self.descending else rank > mark

    def before_second(self, second: int) -> Place:
        """Return the place, by created_at, before all jobs of a second."""
        return Place(second + 1 if self.descending else second, "")

    def after_second(self, second: int) -> Place:
        """Return the place, by created_at, after all jobs of a second."""
        return self.before_second(second - 1 if self.descending else second + 1)

    def accepts(self, place: Place) -> bool:
        """Whether a place, whoever made it, can be read from: of the types and within the bounds of this order's places."""
        if not IS_VALUE[self.by](place.value):
            return False
        if self.by != "created_at":
            return _is_id(place.job_id) and place.stored == ""
        if place.stored == "":
            return place.job_id == "" or _is_id(place.job_id)
        return _is_id(place.job_id) and _is_stored(place.stored, int(place.value))

    def is_behind(self, second: int, place: Place) -> bool:
        """Whether a walk that has settled what is before this second got on from a place, by created_at."""
        start = int(place.value) - (self.descending and not place.job_id)
        return second < start if self.descending else second > start

    def rest(self, place: Place, span: Span) -> Span:
        """Return the part of a span in which jobs can come after a place, by created_at."""
        second = int(place.value)
        if not self.descending:
            return Span(max(span.start, second), span.end)
        return Span(span.start, min(span.end, second + 1 if place.job_id else second))

    def _rank(self, job: Job) -> Rank:
        return SORTS[self.by](job), job.job_id


def _is_time(value: object) -> bool:
    """Whether it is the second of a job, or the one after the last."""
    return type(value) is int and -LARGEST <= value <= LARGEST + 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_percent(value: object) -> bool:
    return type(value) is int and 0 <= value <= 100  # noqa: PLR2004 - percent


IS_VALUE: dict[str, Callable[[object], bool]] = {
    "created_at": _is_time,
    "updated_at": _is_time,
    "duration": _is_number,
    "status": _is_text,
    "progress_percent": _is_percent,
}


def _is_id(job_id: object) -> bool:
    if not isinstance(job_id, str):
        return False
    try:
        return 0 < len(job_id.encode()) <= LONGEST_KEY
    except UnicodeEncodeError:  # half a surrogate pair
        return False


def _is_stored(text: object, second: int) -> bool:
    """Whether it is a number of DynamoDB's, in this second."""
    if not (isinstance(text, str) and NUMBER.fullmatch(text)):
        return False
    number = Decimal(text).normalize(EXACT)
    is_within = len(number.as_tuple().digits) <= MOST_DIGITS and (not number or number.adjusted() >= SMALLEST)
    return is_within and second <= number < second + 1
