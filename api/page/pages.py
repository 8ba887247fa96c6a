"""The dashboard, the browser client, and the demo's pictures: files, with headers that let nothing in them run."""

from pathlib import Path
from typing import Any

from litestar import Response, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router

PAGE = Path(__file__).parent / "static"
CLIENT = Path(__file__).parents[2] / "client"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; media-src 'self' https:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@get("/", include_in_schema=False)
async def dashboard() -> Response[bytes]:
    """Show the dashboard."""
    return Response(
        (PAGE / "index.html").read_bytes(),
        media_type="text/html",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )


def page_handlers(media_dir: str | None) -> list[HTTPRouteHandler | Router]:
    """Return what serves the page; the demo's media only where a directory of them is set."""
    handlers: list[HTTPRouteHandler | Router] = [
        dashboard,
        static_files("/page", PAGE),
        static_files("/client", CLIENT),
    ]
    if media_dir:
        handlers.append(static_files("/media", Path(media_dir), MEDIA_POLICY))
    return handlers


def static_files(path: str, directory: Path, policy: str = POLICY) -> Router:
    """Serve every file of a directory, with headers that let nothing in it run elsewhere."""

    def with_headers(response: Response[Any]) -> Response[Any]:
        response.headers.update({"X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy})
        return response

    return create_static_files_router(
        path, [directory], name=path[1:], after_request=with_headers, cache_control=CacheControlHeader(no_cache=True)
    )
