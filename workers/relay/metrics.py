"""What the relay counts, and the small HTTP server that shows it."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app

from streams.channel.channel import Outcome
from streams.errors import (
    ChannelUnavailable,
    LeaseLost,
    PositionExpired,
    RecordsTrimmed,
    ShardGone,
    TableUnavailable,
    Throttled,
)

records = Counter("headway_records_read", "Stream records read")
records_unchanged = Counter("headway_records_unchanged", "Stream records that changed nothing public")
records_parked = Counter("headway_records_parked", "Stream records put aside because they cannot be relayed")
changes = Counter("headway_changes", "Changes handed to Redis, by what became of them", ["outcome"])
polls = Counter("headway_polls", "GetRecords calls, which AWS bills")
gaps = Counter("headway_gaps", "Times that records, or a shard, were trimmed before they were read")
mended = Counter("headway_jobs_mended", "Jobs whose lost state was published from the table after a gap")
errors = Counter("headway_errors", "What went wrong and was tried again or given up, by kind", ["kind"])
leases_held = Gauge("headway_leases_held", "Leases that this worker holds")
lag = Gauge(
    "headway_lag_seconds",
    "How far a shard is behind; 0 when caught up, and growing while nothing can be relayed",
    ["shard"],
)
delays = Histogram(
    "headway_record_to_publish_seconds",
    "Age of the newest of the records that were published together; the stream tells it in whole seconds",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 24 * 3600),
)

for kind in (ChannelUnavailable, LeaseLost, PositionExpired, RecordsTrimmed, ShardGone, TableUnavailable, Throttled):
    errors.labels(kind.__name__)  # 0, so that the first one is seen as an increase

_outcomes = {outcome: changes.labels(outcome.value) for outcome in Outcome}


def count_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Count what became of published changes."""
    for outcome, times in Tally(outcomes).items():
        _outcomes[outcome].inc(times)


def count_error(error: Exception) -> None:
    """Count an error by its class: Throttled, ChannelUnavailable, LeaseLost ..."""
    errors.labels(type(error).__name__).inc()


def show_shard(shard_id: str, seconds: Callable[[], float]) -> None:
    """Count a lease that was taken, and show how far behind its shard is."""
    leases_held.inc()
    lag.labels(shard_id).set_function(seconds)


def forget_shard(shard_id: str) -> None:
    """Show nothing of a shard that another worker relays now, or that is done."""
    leases_held.dec()
    with suppress(KeyError):
        lag.remove(shard_id)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A probe every few seconds is no news."""


def serve(host: str, port: int, lacking: Callable[[], str | None]) -> WSGIServer:
    """Serve /metrics, /health/live and /health/ready from a thread of its own; `shutdown()` ends it.

    `lacking` says why the worker is not ready, None when it is.
    """
    metrics_app = make_wsgi_app()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                return list(metrics_app(environ, start_response))
            case "/health/live":
                return _answer(start_response, "200 OK", "live")
            case "/health/ready" if reason := lacking():
                return _answer(start_response, "503 Service Unavailable", reason)
            case "/health/ready":
                return _answer(start_response, "200 OK", "ready")
            case _:
                return _answer(start_response, "404 Not Found", "there is /metrics, /health/live and /health/ready")

    server = make_server(host, port, app, handler_class=_Quiet)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _answer(start_response: Callable[..., Any], status: str, line: str) -> Iterable[bytes]:
    body = f"{line}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
