"""`python -m workers demo`: engines, relay, api and a simulated pipeline on this machine, until Ctrl-C."""

import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from streams.settings import Settings
from workers.demo.engines import Process, StartFailed, free_port, local_aws, start_ministack, start_valkey

USER = "demo"


def run(settings: Settings) -> None:
    """Run the demo until Ctrl-C, SIGTERM or SIGHUP, or until one of its processes ends; leave none behind."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    with tempfile.TemporaryDirectory(prefix="headway-") as directory, ExitStack() as started:
        port = settings.port if _is_free(settings.port) else free_port()
        processes = start(Path(directory), port, started, stopping)
        if not stopping.is_set():
            print(f"\n  Headway is running: http://127.0.0.1:{port}/\n  Ctrl-C stops all of it.\n", flush=True)
        ended = watch(processes, stopping)
        if ended:
            sys.exit(f"demo: {ended.name} ended with {ended.code}:\n{ended.tail()}")
        print("stopping", flush=True)


def start(directory: Path, port: int, started: ExitStack, stopping: threading.Event) -> list[Process]:
    """Start one process after the other, each to be stopped in reverse; stop to start when asked to."""
    processes: list[Process] = []
    aws_port, redis_port = free_port(), free_port()
    media = directory / "media"
    media.mkdir()
    environment = local_aws(aws_port) | {
        "HEADWAY_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "HEADWAY_HOST": "127.0.0.1",
        "HEADWAY_PORT": str(port),
        "HEADWAY_METRICS_PORT": str(free_port()),
        "HEADWAY_DEV_USER": USER,
        "HEADWAY_MEDIA_DIR": str(media),
    }

    def python(name: str, *arguments: str) -> Process:
        return Process(name, [sys.executable, "-m", *arguments], directory / f"{name}.log", environment)

    def api() -> Process:
        process = python("api", "api")
        process.until_listening(port)
        return process

    def tables() -> Process:
        process = python("tables", "streams", "create-table")
        if process.wait(30):
            raise StartFailed(f"the tables were not made: {process.tail()}")
        return process

    steps: list[Callable[[], Process]] = [
        lambda: start_ministack(aws_port, directory),
        lambda: start_valkey(redis_port, directory),
        tables,
        lambda: python("relay", "workers", "relay"),
        api,
        lambda: python("simulate", "workers", "simulate", "--media", str(media), "--users", USER),
    ]
    for step in steps:
        if stopping.is_set():
            break
        process = step()
        started.callback(process.stop)
        processes.append(process)
    return [process for process in processes if process.name != "tables"]


def watch(processes: list[Process], stopping: threading.Event) -> Process | None:
    """Return when asked to stop, or with the first process that ended by itself."""
    while not stopping.wait(0.5):
        for process in processes:
            if process.code is not None:
                return process
    return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
