"""Probes and metrics for operators."""

import structlog
from botocore.exceptions import ClientError
from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.push.hub import Hub
from streams.errors import TableUnavailable
from streams.table.table import Table


@get("/health/live", include_in_schema=False)
async def live() -> Response[str]:
    """Say that the process runs."""
    return Response("live\n", media_type="text/plain")


@get("/health/ready", include_in_schema=False)
async def ready(hub: Hub, table: Table) -> Response[str]:
    """Say whether Redis and DynamoDB answer."""
    lacking = [] if hub.is_whole else ["the feed from Redis is broken"]
    try:
        await table.get("headway-readiness")
    except TableUnavailable:
        lacking.append("the table does not answer")
    except ClientError as error:
        lacking.append(f"the table refuses: {error.response['Error']['Code']}")
    if lacking:
        structlog.contextvars.bind_contextvars(reason="; ".join(lacking))
    status = 503 if lacking else 200
    return Response(f"{'; '.join(lacking) or 'ready'}\n", status_code=status, media_type="text/plain")


@get("/metrics", include_in_schema=False)
async def metrics() -> Response[bytes]:
    """Show what was counted, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
