"""The dashboard, the browser client, and the demo's pictures."""

from pathlib import Path

from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler

from api.http.static import POLICY, static_files

PAGE = Path(__file__).parent / "static"
CLIENT = Path(__file__).parents[2] / "client"

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
