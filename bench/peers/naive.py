"""The list as one writes it first, to measure against: boto3's resource, json, one page, the filter after the limit."""

import json
import os
from decimal import Decimal
from typing import Any

import boto3
import uvicorn
from boto3.dynamodb.conditions import Attr, Key
from litestar import Litestar, Request, Response, get
from litestar.di import Provide

from api.auth.auth import authenticator
from streams.jobs.job import DEFAULT_SCENES, PublicJob
from streams.settings import settings_from

PUBLIC = [name for name in PublicJob.__struct_fields__ if name != "progress_percent"]


def naive_app() -> Litestar:
    """Make the app; it authenticates as Headway does, so that only the list differs."""
    settings = settings_from(os.environ)
    authenticate = authenticator(settings)
    table = boto3.resource("dynamodb", region_name=os.environ["AWS_REGION"]).Table(settings.table)

    async def user_id(request: Request[Any, Any, Any]) -> str:
        return (await authenticate(request)).user_id

    @get("/api/v1/jobs", sync_to_thread=True)
    def list_jobs(user_id: str, status: str = "", page_size: int = 20) -> Response[bytes]:
        asked: dict[str, Any] = {"FilterExpression": Attr("status").eq(status)} if status else {}
        found = table.query(
            IndexName="UserJobsIndex",
            KeyConditionExpression=Key("user_id").eq(user_id),
            ScanIndexForward=False,
            Limit=page_size,
            **asked,
        )
        jobs = [_public(item) for item in found["Items"]]
        page = {"jobs": jobs, "total_count": len(jobs), "page": 1, "page_size": page_size}
        return Response(json.dumps(page, default=_number).encode(), media_type="application/json")

    return Litestar([list_jobs], dependencies={"user_id": Provide(user_id)}, openapi_config=None)


def _public(item: dict[str, Any]) -> dict[str, Any]:
    total = item.get("scenes_total") or DEFAULT_SCENES
    percent = 100 if item["status"] == "completed" else min(99, 100 * item.get("scenes_completed", 0) // total)
    return {name: item[name] for name in PUBLIC if name in item} | {"progress_percent": percent}


def _number(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)


if __name__ == "__main__":
    uvicorn.run(naive_app(), host="127.0.0.1", port=int(os.environ["HEADWAY_PORT"]), log_level="warning")
