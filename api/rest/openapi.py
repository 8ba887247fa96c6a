"""The API's description, made by Litestar: for programs at /openapi.json, for people at /docs, from this process alone."""

from functools import cache
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.serialization import encode_json

from api.http.static import POLICY, static_files

PAGE = Path(__file__).parent / "docs_page"
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]  # one of the two; the names are those of below


class OwnSwaggerUI(SwaggerRenderPlugin):
    """Swagger UI from this server alone, without the code in the page that Litestar's template has: our policy allows none."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        """Show the page; it reads /openapi.json."""
        return (PAGE / "index.html").read_bytes()

    def receive_router(self, router: Router) -> None:
        """Serve the page's files; nothing here needs the page of OAuth 2 that Litestar adds."""
        router.register(static_files("/files", PAGE))


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Describe the API in OpenAPI 3.1, at the address that programs know; Litestar's own is below /docs."""
    return Response(_json(request.app), media_type="application/json", headers={"Cache-Control": "no-cache"})


@cache
def _json(app: Litestar) -> bytes:
    return encode_json(app.openapi_schema.to_schema())


def openapi_config(cookie: str) -> OpenAPIConfig:
    """Say what no handler says; `cookie` is the one that may carry the token."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return OpenAPIConfig(
        title="Headway",
        version="1",
        description=(
            "Long-running jobs of the caller: listed, read one by one, and followed live. Where jobs are read, "
            "HEAD answers as GET does, without the body."
        ),
        components=Components(
            security_schemes={
                "bearer": SecurityScheme("http", scheme="bearer", bearer_format="JWT"),
                "cookie": SecurityScheme(
                    "apiKey", security_scheme_in="cookie", name=cookie, description="For EventSource."
                ),
            }
        ),
        render_plugins=[OwnSwaggerUI(path="/")],
        openapi_router=Router("/docs", route_handlers=[], include_in_schema=False, response_headers=headers),
    )
