"""Answers with an ETag, and none where the client has it already (RFC 9110, 13.1.2)."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeVar

from litestar import MediaType, Request, Response
from litestar.response.base import ASGIResponse

T = TypeVar("T")


class Tagged(Response[T]):
    """A JSON body, named by its digest; 304 where If-None-Match names it."""

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        """Render the body, and leave it out where the client has it."""
        body = self.render(self.content, MediaType.JSON)
        etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        is_known = _names(request.headers.getall("if-none-match", ()), etag)
        headers = self.headers | {"etag": etag, "cache-control": "private, no-cache"}
        response = Response(None if is_known else body, status_code=304 if is_known else 200, headers=headers)
        return response.to_asgi_response(app, request, **more)


def _names(known: Iterable[str], etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(known).split(",")]
    return etag in tags or tags == ["*"]
