"""The Litestar app, put together from its parts."""

from typing import Any

from litestar import Litestar, Request, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import ResponseHeader
from litestar.di import Provide

from api.auth.auth import Authenticate
from api.auth.callers import Caller
from api.health import live, metrics, ready
from api.http.problems import HANDLERS
from api.page.pages import page_handlers
from api.push.events import all_events, job_events
from api.push.hub import Hub
from api.rest.cursor import cursors_for
from api.rest.docs import docs_handlers
from api.rest.jobs import job_handlers
from streams.settings import Settings
from streams.table.listing import Listing
from streams.table.table import Table


def create_app(settings: Settings, authenticate: Authenticate, table: Table, listing: Listing, hub: Hub) -> Litestar:
    """Make the app; it owns nothing that has to be started or closed."""

    async def caller(request: Request[Any, Any, Any]) -> Caller:
        return await authenticate(request)

    def given(value: object) -> Provide:
        return Provide(lambda: value, sync_to_thread=False)

    jobs = Router(
        "/api/v1",
        route_handlers=[*job_handlers(authenticate, table, listing, cursors_for(settings)), all_events, job_events],
        dependencies={"caller": Provide(caller)},
    )
    return Litestar(
        [jobs, live, ready, metrics, *docs_handlers(settings), *page_handlers(settings.media_dir)],
        dependencies={
            "table": given(table),
            "hub": given(hub),
        },
        exception_handlers=HANDLERS,
        cors_config=_cors(settings) if settings.cors_origins else None,
        openapi_config=None,  # api.openapi says more, and more exactly, than could be told from the handlers
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
