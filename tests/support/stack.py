"""Headway as an operator runs it: real processes on real engines, to be killed, frozen and started again."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import jwt
from botocore.config import Config

from streams.table.schema import create_tables
from workers.demo.engines import Process, free_port, start_valkey

SECRET = "a secret that only the tests know, long enough"


class Stack:
    """One table, one Redis, and the processes started so far."""

    def __init__(self, aws: Mapping[str, str], directory: Path, stopping: ExitStack) -> None:
        name = f"jobs-{uuid4().hex[:8]}"
        self.aws = aws
        self.directory = directory
        self.redis_port = free_port()
        self.table = name
        self.leases = f"{name}-leases"
        self.client: Any = boto_client("dynamodb", aws)
        self.redis: Process
        self._stopping = stopping
        create_tables(self.client, self.table, self.leases)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.aws,
            "HEADWAY_TABLE": self.table,
            "HEADWAY_LEASES_TABLE": self.leases,
            "HEADWAY_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "HEADWAY_AUTH_SECRET": SECRET,
            "HEADWAY_LOG_LEVEL": "debug",
        }

    def start_redis(self) -> None:
        self.redis = start_valkey(self.redis_port, self.directory)
        self._stopping.callback(self.redis.stop)

    def start_relay(self, **environment: str) -> Process:
        port = environment.setdefault("HEADWAY_METRICS_PORT", str(free_port()))
        process = self.start("relay", "workers", "relay", **environment)
        process.until_listening(int(port))
        return process

    def start_api(self, port: int | None = None, **environment: str) -> "Api":
        port = port or free_port()
        process = self.start("api", "api", HEADWAY_PORT=str(port), **environment)
        process.until_listening(port)
        return Api(process, f"http://127.0.0.1:{port}")

    def start(self, name: str, *arguments: str, **environment: str) -> Process:
        log = self.directory / f"{name}-{uuid4().hex[:6]}.log"
        process = Process(name, [sys.executable, "-m", *arguments], log, self.environment | environment)
        self._stopping.callback(process.stop)
        return process

    def put(self, job_id: str, user_id: str, **attributes: str | int | None) -> None:
        """Replace a whole item, as a writer does that has never heard of Headway."""
        now = int(time.time())
        job: dict[str, str | int | None] = {
            "job_id": job_id,
            "user_id": user_id,
            "status": "processing",
            "created_at": now,
            "updated_at": now,
        }
        self.client.put_item(TableName=self.table, Item=typed(job | attributes))

    def delete(self, job_id: str) -> None:
        self.client.delete_item(TableName=self.table, Key={"job_id": {"S": job_id}})


class Api:
    """One api process and how to ask it."""

    def __init__(self, process: Process, url: str) -> None:
        self.process = process
        self.url = url

    def get(self, path: str, user_id: str, **parameters: Any) -> httpx.Response:
        return httpx.get(f"{self.url}/api/v1{path}", headers=bearer(user_id), timeout=10, **parameters)


def bearer(user_id: str, **claims: Any) -> dict[str, str]:
    """Return the headers of a caller."""
    token = jwt.encode({"sub": user_id, "exp": int(time.time()) + 3600} | claims, SECRET)
    return {"Authorization": f"Bearer {token}"}


def typed(attributes: Mapping[str, str | int | None]) -> dict[str, dict[str, str]]:
    """Return DynamoDB's typed JSON; None leaves an attribute out."""
    given = {name: value for name, value in attributes.items() if value is not None}
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in given.items()}


@contextmanager
def running(aws: Mapping[str, str], directory: Path) -> Iterator[Stack]:
    """Give a stack whose processes all end with it."""
    with ExitStack() as stopping:
        yield Stack(aws, directory, stopping)


def boto_client(service: str, aws: Mapping[str, str], attempts: int = 3) -> Any:
    """Return an ordinary client of the engine that these variables name."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name=aws["AWS_REGION"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": attempts}),
    )
