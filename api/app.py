"""The Litestar app, put together from its parts."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Litestar, Request, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import ResponseHeader
from litestar.di import Provide
from msgspec import Struct

from api.auth.auth import Authenticate
from api.auth.callers import Caller
from api.health import live, metrics, ready
from api.http.problems import HANDLERS
from api.page.pages import page_handlers
from api.push.events import all_events, job_events
from api.push.hub import Hub
from api.rest.cursor import Cursors
from api.rest.jobs import get_job, head_of, list_jobs
from api.rest.list_request import list_request
from api.rest.openapi import SECURITY, openapi, openapi_config
from streams.settings import Settings
from streams.table.listing import Listing
from streams.table.table import Table


class Parts(Struct, frozen=True):
    """What the handlers work with."""

    table: Table
    listing: Listing
    hub: Hub
    cursors: Callable[[], Awaitable[Cursors]]


def create_app(settings: Settings, authenticate: Authenticate, parts: Parts) -> Litestar:
    """Make the app; it owns nothing that has to be started or closed."""

    async def caller(request: Request[Any, Any, Any]) -> Caller:
        return await authenticate(request)

    async def cursors() -> Cursors:
        return await parts.cursors()

    def given(value: object) -> Provide:
        return Provide(lambda: value, sync_to_thread=False)

    jobs = Router(
        "/api/v1",
        route_handlers=[list_jobs, get_job, head_of(list_jobs), head_of(get_job), all_events, job_events],
        dependencies={
            "caller": Provide(caller),
            "asked": Provide(list_request, sync_to_thread=False),
            "listing": given(parts.listing),
            "cursors": Provide(cursors),
        },
        security=SECURITY,
        tags=["Jobs"],
    )
    return Litestar(
        [jobs, live, ready, metrics, openapi, *page_handlers(settings.media_dir)],
        dependencies={
            "table": given(parts.table),
            "hub": given(parts.hub),
        },
        exception_handlers=HANDLERS,
        cors_config=_cors(settings) if settings.cors_origins else None,
        openapi_config=openapi_config(settings.auth_cookie),
        response_headers=[ResponseHeader(name="X-Content-Type-Options", value="nosniff")],
    )


def _cors(settings: Settings) -> CORSConfig:
    return CORSConfig(
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET"],
        allow_headers=["Authorization", "Last-Event-ID", "Cache-Control", "If-None-Match"],
        expose_headers=["ETag", "Link", "Retry-After", "X-Request-ID"],
        allow_credentials=True,
    )
