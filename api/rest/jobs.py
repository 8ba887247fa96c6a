"""The REST endpoints: the caller's jobs, and one of them."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import structlog
from litestar import Request, get, route
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from api.auth.callers import Caller
from api.errors import JobNotFound, ParameterRefused
from api.http.description import (
    AWAY,
    NO_JOB,
    NOT_MODIFIED,
    REFUSED,
    UNKNOWN,
    Conditional,
    JobId,
    answered,
    problems,
)
from api.http.parameters import ListRequest, job_id_from
from api.http.paths import segment_of
from api.http.tagged import Tagged
from api.rest.cursor import Cursors
from api.rest.job_page import JobPage
from streams.errors import ListTooLong
from streams.jobs.job import PublicJob, public
from streams.jobs.selection import READ_CALLS, READ_JOBS
from streams.table.listing import Listing
from streams.table.table import Table

JOB = {
    "job_id": "job_123",
    "status": "processing",
    "stage": "scene_2_complete",
    "progress_percent": 66,
    "scenes_completed": 2,
    "prompt": "A 30 s film about the sea",
    "duration": 30,
    "created_at": 1700000000,
    "updated_at": 1700000123,
}
PAGE = {"jobs": [JOB], "total_count": 1, "page": 1, "page_size": 20}


class Paged(Conditional):
    """An operation that tells the address of the next page."""

    answers = Conditional.answers | {"200": (*Conditional.answers["200"], "Link")}


@get(
    "/jobs",
    operation_id="listJobs",
    operation_class=Paged,
    summary="List jobs",
    description=(
        "The caller's jobs that match all filters. A page is full whenever so many match: where matches are so "
        f"rare that {READ_JOBS} jobs, or {READ_CALLS} MB, had to be read, it is short, even empty, and has a "
        "`next_cursor` nevertheless. "
        "Empty texts stand for what is not given; parameters that are not listed here are refused."
    ),
    responses={
        200: answered("One page.", JobPage, "application/json", page=PAGE),
        304: NOT_MODIFIED,
        **problems({400: REFUSED, 401: UNKNOWN, 503: AWAY}),
    },
)
async def list_jobs(
    request: Request[Any, Any, Any],
    asked: NamedDependency[ListRequest],
    listing: NamedDependency[Listing],
    cursors: NamedDependency[Cursors],
) -> Tagged[JobPage]:
    """Answer with one page of the caller's jobs, and where the next one is."""
    number, place = asked.page or 1, None
    if asked.cursor:
        number, place = cursors.read(asked.cursor, asked.selection, asked.order)
    skip = 0 if place else (number - 1) * asked.page_size
    try:
        page = await listing.page(asked.selection, asked.order, asked.page_size, skip, place)
    except ListTooLong as error:
        raise _too_long(asked, error) from error
    after = cursors.write(asked.selection, asked.order, number + 1, page.next) if page.next else None
    links = {"link": f'<{_address(request.scope["query_string"], after)}>; rel="next"'} if after else {}
    jobs = list(map(public, page.jobs))
    return Tagged(JobPage(jobs, page.total, number, asked.page_size, after, page.is_total_exact), headers=links)


@get(
    "/jobs/{job_id:str}",
    operation_id="getJob",
    operation_class=Conditional,
    summary="Read one job",
    description="As it is now: a consistent read. Its JSON is that of lists and events; empty optional fields are left out.",
    responses={
        200: answered("The job.", PublicJob, "application/json", job=JOB),
        304: NOT_MODIFIED,
        **problems({400: REFUSED, 401: UNKNOWN, 404: NO_JOB, 503: AWAY}),
    },
)
async def get_job(caller: NamedDependency[Caller], table: NamedDependency[Table], job_id: JobId) -> Tagged[PublicJob]:
    """Answer with one job of the caller's."""
    name = job_id_from(segment_of(job_id))
    structlog.contextvars.bind_contextvars(job_id=name)
    job = await table.get(name)
    if job is None or job.user_id != caller.user_id:
        raise JobNotFound(name)
    return Tagged(public(job))


def head_of(handler: HTTPRouteHandler) -> HTTPRouteHandler:
    """Answer HEAD as GET is answered; the server leaves the body out. It is described once, with GET."""
    return route(sorted(handler.paths), http_method=HttpMethod.HEAD, include_in_schema=False)(handler.fn)


def _too_long(asked: ListRequest, error: ListTooLong) -> ParameterRefused:
    if asked.order.by != "created_at":
        return ParameterRefused(
            "sort", f"too much for so many jobs: {error}", "created_at, -created_at, or narrower filters"
        )
    return ParameterRefused("page", f"out of reach: {error}", "pages by cursor, or narrower filters")


def _address(query: bytes, cursor: str) -> str:
    """The next page's address, relative to this one's: a proxy in front may serve the list at a path of its own."""
    pairs = parse_qsl(query.decode("latin-1"))
    kept = [(name, value) for name, value in pairs if name not in {"page", "cursor"}]
    return f"?{urlencode([*kept, ('cursor', cursor)])}"
