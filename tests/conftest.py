import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from tests.support import dynamodb_local
from tests.support.stack import Api, Stack, running
from workers.demo.engines import free_port, local_aws, start_ministack

# How busy a machine is fails no rule; in CI the examples are the same ones every time.
settings.register_profile(
    "headway",
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("headway")


@pytest.fixture(scope="session", params=["ministack", "dynamodb-local"])
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """AWS' own variables for a real engine; every test that asks for it runs on both."""
    port = free_port()
    directory = tmp_path_factory.mktemp("engine")
    start = start_ministack
    if request.param == "dynamodb-local":
        if (lacking := dynamodb_local.missing()) and "CI" not in os.environ:
            pytest.skip(f"DynamoDB Local is left out: {lacking}")
        start = dynamodb_local.start
    process = start(port, directory)
    yield local_aws(port)
    process.stop()


@pytest.fixture
def stack(aws: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """A table of its own and a Redis, with no process of Headway yet."""
    with running(aws, tmp_path) as stack:
        stack.start_redis()
        yield stack


@pytest.fixture(scope="session")
def api(aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Api]]:
    """A whole Headway that no test breaks; tests keep apart by user."""
    with running(aws, tmp_path_factory.mktemp("stack")) as stack:
        stack.start_redis()
        stack.start_relay()
        yield stack, stack.start_api()


@pytest.fixture
def user() -> str:
    """A user of this test's own."""
    return f"user {uuid4().hex[:8]}"
