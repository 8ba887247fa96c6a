"""The parameters of the list, and the dependency that makes them a request.

Each comes with all of its values: what is given twice is refused, not silently one of the two.
"""

from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency

from api.auth.callers import Caller
from api.http.description import Statuses, query
from api.http.parameters import (
    DEFAULT_PAGE,
    LARGEST_PAGE,
    LONGEST_Q,
    SORT_WORDS,
    TIMES,
    ListRequest,
    check_query,
    one_from,
    order_from,
    span_from,
    statuses_from,
    whole_from,
    words_from,
)
from api.rest.cursor import LONGEST, PATTERN
from streams.jobs.selection import READ_CALLS, READ_JOBS, Selection

TIME = {"type": "string", "pattern": r"^(-?[0-9]{1,15}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,]+(Z|[+-][0-9:]+))?$"}

CreatedAfter = Annotated[
    list[str] | None,
    query(f"Created at this time or later. {TIMES}.", TIME, any="", seconds="1700000000", clock="2026-11-23T08:30:00Z"),
]
CreatedBefore = Annotated[
    list[str] | None, query(f"Created before this time. {TIMES}.", TIME, any="", clock="2026-11-24T00:00:00+01:00")
]
Words = Annotated[
    list[str] | None,
    query(
        "Every one of these words is in the prompt or the title, in whatever case.",
        {"type": "string", "maxLength": LONGEST_Q},
        any="",
        words="sea sunset",
    ),
]
Sort = Annotated[
    list[str] | None,
    query(
        "`-` stands for descending; equal jobs stand in the order of their ids, in the same direction (as the table "
        f"holds them where more than {READ_JOBS} were created in one second). By anything but created_at, lists of at "
        f"most {READ_JOBS} jobs and {READ_CALLS} MB can be sorted, where a table without an index for status counts "
        "jobs of other statuses, too. What has no duration stands as 0.",
        {"type": "string", "enum": ["", *SORT_WORDS], "default": "-created_at"},
        default="-created_at",
    ),
]
PageSize = Annotated[
    list[str] | None,
    query(
        "Jobs on a page.",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE},
        default=DEFAULT_PAGE,
    ),
]
PageNumber = Annotated[
    list[str] | None,
    query(
        f"For short lists: the number of the page, within the first {READ_JOBS} jobs. Not beside a cursor.",
        {"type": "integer", "minimum": 1, "maximum": READ_JOBS},
        first=1,
    ),
]
Cursor = Annotated[
    list[str] | None,
    query(
        "`next_cursor` of the page before, of the same filters and sort. Jobs that come meanwhile move nothing.",
        {"type": "string", "maxLength": LONGEST, "pattern": PATTERN},
        first="",
        next="WyJ1QkZhbnk4ZU84cCIsMixbMTcwMDAwMDAwMywiIiwiIl1d.G5Fm2Z1EmHmiGKqfXf4vDOHvOUEaUsqjxN9Rl_lhp1k",
    ),
]


def list_request(  # noqa: PLR0913, PLR0917 - they are the parameters of the list
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    status: Statuses = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    q: Words = None,
    sort: Sort = None,
    page_size: PageSize = None,
    page: PageNumber = None,
    cursor: Cursor = None,
) -> ListRequest:
    """Read what is asked of the list."""
    check_query(request.scope["query_string"])
    after, before = one_from("created_after", created_after), one_from("created_before", created_before)
    statuses = tuple(sorted(statuses_from(status)))
    return ListRequest(
        Selection(caller.user_id, statuses, span_from(after, before), words_from(one_from("q", q))),
        order_from(one_from("sort", sort)),
        whole_from("page_size", one_from("page_size", page_size), LARGEST_PAGE) or DEFAULT_PAGE,
        whole_from("page", one_from("page", page), READ_JOBS),
        one_from("cursor", cursor),
    )
