"""Job ids with a slash in them: `%2F` in a path is a part of the id, not the end of a segment."""

from urllib.parse import unquote

from litestar.types import ASGIApp, Receive, Scope, Send

KEPT = {b"%25": b"%2525", b"%2F": b"%252F", b"%2f": b"%252F"}  # stay encoded once when the path is decoded


def keeping_slashes(app: ASGIApp) -> ASGIApp:
    """Wrap an app so that it routes by a path in which `%2F` and `%25` are still encoded; segment_of() decodes them."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("raw_path", b"")
        if b"%2" in path:
            for encoded, kept in KEPT.items():
                path = path.replace(encoded, kept)
            scope["path"] = unquote(path.decode("ascii"))
        await app(scope, receive, send)

    return run


def segment_of(text: str) -> str:
    """Return a segment of such a path as its sender meant it."""
    return text.replace("%2F", "/").replace("%25", "%")
