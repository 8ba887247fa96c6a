"""Static files, with headers that keep what they hold from running anywhere else."""

from pathlib import Path
from typing import Any

from litestar import Response, Router
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; media-src 'self' https:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def static_files(path: str, directory: Path, policy: str = POLICY) -> Router:
    """Serve every file of a directory, with headers that let nothing in it run elsewhere."""

    def with_headers(response: Response[Any]) -> Response[Any]:
        response.headers.update({"X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy})
        return response

    return create_static_files_router(
        path, [directory], name=path[1:], after_request=with_headers, cache_control=CacheControlHeader(no_cache=True)
    )
