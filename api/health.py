"""Probes and metrics for operators."""

import structlog
from botocore.exceptions import ClientError
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.http.description import answered, texts
from api.push.hub import Hub
from streams.errors import TableUnavailable
from streams.table.table import Table


class Feed(Struct, frozen=True):
    """Why changes may be late, and by how much."""

    reason: str
    behind_seconds: int


class Readiness(Struct, frozen=True, omit_defaults=True):
    """Whether this process serves (`ready`, `degraded`) or does not (`unavailable`), and what it lacks."""

    status: str
    reason: str | None = None
    feed: Feed | None = None


@get(
    "/health/live",
    operation_id="healthLive",
    summary="Whether the process runs",
    tags=["For operators"],
    responses=texts({200: "It runs."}),
)
async def live() -> Response[str]:
    """Say that the process runs."""
    return Response("live\n", media_type="text/plain")


@get(
    "/health/ready",
    operation_id="healthReady",
    summary="Whether this process can serve",
    tags=["For operators"],
    responses={
        200: answered("The table answers; what is degraded is named.", Readiness, "application/json"),
        503: answered("The table does not answer.", Readiness, "application/json"),
    },
)
async def ready(hub: NamedDependency[Hub], table: NamedDependency[Table]) -> Response[Readiness]:
    """Say whether the table answers: with it lists and streams work, though slower while the feed is not whole.

    All processes lose the same Redis and the same relays, so none may leave its balancer for them.
    """
    health = hub.health
    feed = Feed(health.reason, round(health.behind)) if health.reason else None
    if reason := await _refusal_of(table):
        structlog.contextvars.bind_contextvars(reason=reason)
        return Response(Readiness("unavailable", reason, feed), status_code=503)
    return Response(Readiness("degraded" if feed else "ready", feed=feed))


async def _refusal_of(table: Table) -> str | None:
    try:
        await table.get("headway-readiness")
    except TableUnavailable:
        return "the table does not answer"
    except ClientError as error:
        return f"the table refuses: {error.response['Error']['Code']}"
    return None


@get(
    "/metrics",
    operation_id="metrics",
    summary="What was counted, for Prometheus",
    tags=["For operators"],
    responses=texts({200: "The counters."}),
)
async def metrics() -> Response[bytes]:
    """Show what was counted, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
