"""What Headway replaces, written well: a handler that reads the job once a second for every open stream.

Litestar's own ServerSentEvent, boto3's client in threads, enough threads and connections for all of them, one
small read per second (GetItem by key, eventually consistent, half the price), and an event only where the job changed.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from litestar import Litestar, Request, get
from litestar.exceptions import NotFoundException
from litestar.response import ServerSentEvent
from litestar.types import SSEData
from msgspec import json

from api.auth.auth import authenticator
from streams.settings import settings_from

EVERY = 1.0  # seconds
THREADS = 64


def polling_app() -> Litestar:
    """Make the app; callers are known as Headway knows them, so that only the watching differs."""
    settings = settings_from(os.environ)
    authenticate = authenticator(settings)
    pool = ThreadPoolExecutor(THREADS)
    client = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"], config=Config(max_pool_connections=THREADS))

    def read(job_id: str) -> dict[str, Any] | None:
        found = client.get_item(TableName=settings.table, Key={"job_id": {"S": job_id}})
        return _plain(found["Item"]) if "Item" in found else None

    async def read_soon(job_id: str) -> dict[str, Any] | None:
        return await asyncio.get_running_loop().run_in_executor(pool, read, job_id)

    @get("/api/v1/jobs/{job_id:str}/events")
    async def events(request: Request[Any, Any, Any], job_id: str) -> ServerSentEvent:
        caller = await authenticate(request)
        job = await read_soon(job_id)
        if job is None or job["user_id"] != caller.user_id:
            raise NotFoundException(job_id)

        async def states() -> AsyncIterator[SSEData]:
            shown: dict[str, Any] | None = None
            now: dict[str, Any] | None = job
            while now:
                if now != shown:
                    shown = now
                    yield {"event": "update", "data": json.encode(now).decode()}
                await asyncio.sleep(EVERY)
                now = await read_soon(job_id)

        return ServerSentEvent(states())

    return Litestar([events], openapi_config=None)


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without DynamoDB's types; numbers stay as they are written, which is cheapest."""
    return {name: next(iter(value.values())) for name, value in item.items()}


if __name__ == "__main__":
    uvicorn.run(polling_app(), host="127.0.0.1", port=int(os.environ["HEADWAY_PORT"]), log_level="warning")
