"""The REST endpoints: the caller's jobs, and one of them."""

from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, urlencode

import structlog
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from msgspec import json

from api.auth import Authenticate
from api.cursor import Cursors
from api.errors import JobNotFound, ParameterRefused
from api.job_page import JobPage
from api.parameters import Asked, asked_from, job_id_from
from api.paths import segment_of
from streams.errors import ListTooLong
from streams.job import public, public_json
from streams.listing import Listing, Page
from streams.table import Table

READING = (HttpMethod.GET, HttpMethod.HEAD)  # the server leaves the body out where HEAD asks

AnyRequest = Request[Any, Any, Any]

_encode = json.Encoder().encode


def job_handlers(
    authenticate: Authenticate, table: Table, listing: Listing, cursors: Cursors
) -> list[HTTPRouteHandler]:
    """Return the endpoints of these; handed over here, not by Litestar, which runs a task per dependency and request."""

    @route("/jobs", http_method=READING)
    async def list_jobs(request: AnyRequest) -> Response[bytes]:
        """List the caller's jobs."""
        query = request.scope["query_string"]
        asked = asked_from(query, (await authenticate(request)).user_id)
        number, place = asked.page or 1, None
        if asked.cursor:
            number, place = cursors.read(asked.cursor, asked.selection, asked.order)
        skip = 0 if place else (number - 1) * asked.page_size
        try:
            page = await listing.page(asked.selection, asked.order, asked.page_size, skip, place)
        except ListTooLong as error:
            raise _too_long(asked, error) from error
        after = cursors.write(asked.selection, asked.order, number + 1, page.next) if page.next else None
        headers = {"Link": f'<{_address(query, after)}>; rel="next"'} if after else {}
        return _answer(request, _encode(_public(page, number, asked.page_size, after)), headers)

    @route("/jobs/{job_id:str}", http_method=READING)
    async def get_job(request: AnyRequest, job_id: str) -> Response[bytes]:
        """Return one of the caller's jobs."""
        user_id = (await authenticate(request)).user_id
        name = job_id_from(segment_of(job_id))
        structlog.contextvars.bind_contextvars(job_id=name)
        job = await table.get(name)
        if job is None or job.user_id != user_id:
            raise JobNotFound(name)
        return _answer(request, public_json(job), {})

    return [list_jobs, get_job]


def _public(page: Page, number: int, size: int, after: str | None) -> JobPage:
    return JobPage(list(map(public, page.jobs)), page.total, number, size, after, page.is_total_exact)


def _too_long(asked: Asked, error: ListTooLong) -> ParameterRefused:
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


def _answer(request: AnyRequest, body: bytes, headers: dict[str, str]) -> Response[bytes]:
    """Answer with a body and what names it, or with 304 where the client has it already."""
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers |= {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = ",".join(request.headers.getall("if-none-match", []))
    if _names(known, etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _names(known: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return etag in tags or tags == ["*"]
