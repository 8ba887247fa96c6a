"""What the relay counts, and the small HTTP server that shows it."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import Counter, Gauge, make_wsgi_app

records = Counter("headway_records_read", "Stream records read")
records_unchanged = Counter("headway_records_unchanged", "Stream records that changed nothing public")
records_refused = Counter("headway_records_refused", "Stream records that hold no job, skipped")
changes = Counter("headway_changes", "Changes handed to Redis, by what became of them", ["outcome"])
gaps = Counter("headway_gaps", "Times that records were trimmed before they were read")
lag = Gauge("headway_lag_seconds", "Age of the last record relayed when it was read; 0 when caught up")


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A probe every few seconds is no news."""


def serve(host: str, port: int, is_ready: Callable[[], bool]) -> WSGIServer:
    """Serve /metrics, /health/live and /health/ready from a thread of its own; `shutdown()` ends it."""
    metrics_app = make_wsgi_app()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                return list(metrics_app(environ, start_response))
            case "/health/live":
                return _answer(start_response, "200 OK", b"live\n")
            case "/health/ready" if is_ready():
                return _answer(start_response, "200 OK", b"ready\n")
            case "/health/ready":
                return _answer(start_response, "503 Service Unavailable", b"not ready\n")
            case _:
                return _answer(start_response, "404 Not Found", b"there is /metrics, /health/live and /health/ready\n")

    server = make_server(host, port, app, handler_class=_Quiet)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _answer(start_response: Callable[..., Any], status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
