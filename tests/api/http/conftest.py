import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from msgspec import json

from api.http.bounds import Bounds
from tests.api.http.client import Server
from workers.demo.engines import Process, free_port

Serve = Callable[[Bounds], Server]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start processes that listen as the api does, with bounds of a test's own."""
    with ExitStack() as stopping:

        def start(bounds: Bounds) -> Server:
            port, log = free_port(), tmp_path_factory.mktemp("served") / "log"
            process = Process("served", [sys.executable, "-m", "tests.api.http.served", str(port), json.encode(bounds).decode()], log)  # fmt: skip
            stopping.callback(process.stop)
            process.until_listening(port)
            return Server(process, port)

        yield start
