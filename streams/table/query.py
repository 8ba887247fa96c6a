"""Parameters of DynamoDB's Query for a selection of jobs, on one index or the other. Pure.

What no job can be (streams.item refuses it) is left out by every filter that counts, so that DynamoDB
counts what would be shown.
"""

from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from streams.jobs.item import LARGEST
from streams.jobs.job import STATUSES
from streams.jobs.selection import Selection, Span
from streams.table.indexes import USER_JOBS_INDEX, USER_STATUS_INDEX, StatusIndex

Parameters = dict[str, Any]


def reads_less(index: StatusIndex, selection: Selection) -> bool:
    """Whether reading all that is selected through the index for status reads less than through UserJobsIndex.

    Not where all statuses are named: then both read the same, UserJobsIndex in one query. Not a plain index
    where a span is named: it reads what lies outside of the span, too.
    """
    if not 0 < len(selection.statuses) < len(STATUSES):
        return False
    return index is StatusIndex.ORDERED or (index is StatusIndex.PLAIN and selection.span.is_everything)


def by_user(selection: Selection, span: Span, *, descending: bool = True) -> Parameters:
    """Query UserJobsIndex."""
    query = _query(USER_JOBS_INDEX, selection, descending)
    _within(query, span, key=True)
    if selection.statuses:
        names = [_value(query, f"status{number}", "S", status) for number, status in enumerate(selection.statuses)]
        _filter(query, f"#status IN ({', '.join(names)})", status="status")
    return query


def by_status(
    index: StatusIndex, selection: Selection, span: Span, status: str, *, descending: bool = True
) -> Parameters:
    """Query UserStatusIndex for one status."""
    query = _query(USER_STATUS_INDEX, selection, descending)
    _also(query, "KeyConditionExpression", f"#status = {_value(query, 'status', 'S', status)}", status="status")
    _within(query, span, key=index is StatusIndex.ORDERED)
    return query


def counting(query: Parameters) -> Parameters:
    """Make a query count instead: only what is a job."""
    query = {**query, "Select": "COUNT"}
    for part in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        query[part] = dict(query[part])
    low, high = _value(query, "least", "N", str(-LARGEST)), _value(query, "most", "N", str(LARGEST))
    _filter(query, f"#updated BETWEEN {low} AND {high}", updated="updated_at")
    if "#status" not in query["ExpressionAttributeNames"]:
        _filter(query, f"#status > {_value(query, 'empty', 'S', '')}", status="status")
    return query


def is_filtered(query: Parameters) -> bool:
    """Whether DynamoDB reads more than it answers."""
    return "FilterExpression" in query


def _query(index: str, selection: Selection, descending: bool) -> Parameters:
    return {
        "IndexName": index,
        "KeyConditionExpression": "#user = :user",
        "ExpressionAttributeNames": {"#user": "user_id"},
        "ExpressionAttributeValues": {":user": {"S": selection.user_id}},
        "ScanIndexForward": not descending,
    }


def _within(query: Parameters, span: Span, *, key: bool) -> None:
    """Only whole seconds are asked for, but a writer's may have fractions, and BETWEEN includes its end."""
    start, end = _value(query, "start", "N", str(span.start)), _value(query, "end", "N", _last_before(span.end))
    part = "KeyConditionExpression" if key else "FilterExpression"
    _also(query, part, f"#created BETWEEN {start} AND {end}", created="created_at")


@lru_cache(64)
def _last_before(second: int) -> str:
    return f"{Context(prec=38).subtract(Decimal(second), Decimal('1E-20')):f}"


def _value(query: Parameters, name: str, kind: str, text: str) -> str:
    query["ExpressionAttributeValues"][f":{name}"] = {kind: text}
    return f":{name}"


def _filter(query: Parameters, condition: str, **names: str) -> None:
    _also(query, "FilterExpression", condition, **names)


def _also(query: Parameters, part: str, condition: str, **names: str) -> None:
    query[part] = f"{query[part]} AND {condition}" if part in query else condition
    query["ExpressionAttributeNames"] |= {f"#{short}": name for short, name in names.items()}
