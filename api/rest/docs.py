"""The API's description: for programs at /openapi.json, for people at /docs, from this process alone."""

from pathlib import Path

from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler
from msgspec import json

from api.http.static import POLICY, static_files
from api.rest.openapi import describe
from streams.settings import Settings

PAGE = Path(__file__).parent / "docs_page"


def docs_handlers(settings: Settings) -> list[HTTPRouteHandler | Router]:
    """Return what serves the description."""
    description = json.encode(describe(settings.auth_cookie))

    @get("/openapi.json")
    async def openapi() -> Response[bytes]:
        """Describe the API in OpenAPI 3.1."""
        return Response(description, media_type="application/json", headers={"Cache-Control": "no-cache"})

    return [openapi, docs, static_files("/docs/files", PAGE)]


@get("/docs")
async def docs() -> Response[bytes]:
    """Show the description."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response((PAGE / "index.html").read_bytes(), media_type="text/html", headers=headers)
