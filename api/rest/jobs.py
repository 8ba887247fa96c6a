"""The REST endpoints: the caller's jobs, and one of them."""

from collections.abc import Sequence
from hashlib import blake2b
from urllib.parse import parse_qsl, urlencode

import structlog
from litestar import route
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import json

from api.auth.auth import Authenticate
from api.errors import JobNotFound, ParameterRefused
from api.http.parameters import Asked, asked_from, job_id_from
from api.http.paths import segment_of
from api.http.requests import Header, respond
from api.rest.cursor import Cursors
from api.rest.job_page import JobPage
from streams.errors import ListTooLong
from streams.jobs.job import public, public_json
from streams.table.listing import Listing, Page
from streams.table.table import Table

READING = (HttpMethod.GET, HttpMethod.HEAD)  # the server leaves the body out where HEAD asks

NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
UNSHARED: Header = (b"cache-control", b"private, no-cache")
JSON: Header = (b"content-type", b"application/json")

_encode = json.Encoder().encode


def job_handlers(
    authenticate: Authenticate, table: Table, listing: Listing, cursors: Cursors
) -> list[HTTPRouteHandler]:
    """Return the endpoints of these; handed over here, not by Litestar, which runs a task per dependency and request."""

    async def list_jobs(scope: Scope, _: Receive, send: Send) -> None:
        query = scope["query_string"]
        asked = asked_from(query, (await authenticate(ASGIConnection(scope))).user_id)
        number, place = asked.page or 1, None
        if asked.cursor:
            number, place = cursors.read(asked.cursor, asked.selection, asked.order)
        skip = 0 if place else (number - 1) * asked.page_size
        try:
            page = await listing.page(asked.selection, asked.order, asked.page_size, skip, place)
        except ListTooLong as error:
            raise _too_long(asked, error) from error
        after = cursors.write(asked.selection, asked.order, number + 1, page.next) if page.next else None
        links = [(b"link", f'<{_address(query, after)}>; rel="next"'.encode())] if after else []
        await _answer(scope, send, _encode(_public(page, number, asked.page_size, after)), links)

    async def get_job(scope: Scope, _: Receive, send: Send) -> None:
        user_id = (await authenticate(ASGIConnection(scope))).user_id
        name = job_id_from(segment_of(scope["path_params"]["job_id"]))
        structlog.contextvars.bind_contextvars(job_id=name)
        job = await table.get(name)
        if job is None or job.user_id != user_id:
            raise JobNotFound(name)
        await _answer(scope, send, public_json(job))

    return [_endpoint("/jobs", list_jobs), _endpoint("/jobs/{job_id:str}", get_job)]


def _endpoint(path: str, answering: ASGIApp) -> HTTPRouteHandler:
    """Have Litestar find an app, refuse other methods and tell its errors.

    A handler of its own kind would have a request and a response made for it: a quarter of the functions that a list runs.
    """

    def instead(app: ASGIApp) -> ASGIApp:  # noqa: ARG001 - nothing is left for it to do
        return answering

    async def behind() -> None:
        """Stand where a handler has to stand."""

    return route(path, http_method=READING, middleware=[instead])(behind)


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


async def _answer(scope: Scope, send: Send, body: bytes, links: Sequence[Header] = ()) -> None:
    """Answer with a body and what names it, or with 304 where the client has it already."""
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = [NOSNIFF, *links, (b"etag", etag.encode()), UNSHARED]
    if _names(_known(scope), etag):
        await respond(send, 304, headers)
    else:
        await respond(send, 200, [*headers, JSON, (b"content-length", b"%d" % len(body))], body)


def _known(scope: Scope) -> str:
    return b",".join([value for name, value in scope["headers"] if name == b"if-none-match"]).decode("latin-1")


def _names(known: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return etag in tags or tags == ["*"]
