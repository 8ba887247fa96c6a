"""nchan with Redis: one nginx for the watchers, and another that publishes, so that only watching is measured.

https://nchan.io, Debian's nginx and libnginx-mod-nchan.
"""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.demo.engines import Process, StartFailed

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
ACCEPTED = b"HTTP/1.1 20"
READY = "Redis upstream redis: ready"
READY_WITHIN = 10.0  # seconds

# Each keeps the newest message of a channel and gives it to who connects, as Headway does.
CONFIG = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log notice;
worker_processes 1;
worker_rlimit_nofile 20000;
load_module {module};
events {{ worker_connections 20000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  nchan_shared_memory_size 256M;
  upstream redis {{ nchan_redis_server {redis_url}; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    nchan_channel_id $arg_channel;
    nchan_message_buffer_length 1;
    nchan_eventsource_ping_interval 15;
    location = /events {{ nchan_subscriber eventsource; nchan_redis_pass redis; }}
    location = /publish {{ nchan_publisher; nchan_redis_pass redis; }}
  }}
}}
"""


def missing() -> str:
    """Say what is not installed here; empty where nothing is."""
    if not shutil.which("nginx"):
        return "no nginx here"
    return "" if MODULE.exists() else f"nginx has no nchan here ({MODULE})"


def start(port: int, redis_url: str, directory: Path) -> Process:
    """Start an nginx with nchan."""
    directory.mkdir()
    config = directory / "nginx.conf"
    config.write_text(
        CONFIG.format(port=port, redis_url=redis_url.removesuffix("/0"), directory=directory, module=MODULE)
    )
    command = ["nginx", "-e", f"{directory}/start.log", "-c", str(config)]
    process = Process("nginx", command, directory / "start.log")
    process.until_listening(port)
    _until_redis_is_there(directory / "nginx.log")
    return process


def _until_redis_is_there(log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while READY not in log.read_text():
        if time.monotonic() > deadline:
            raise StartFailed(f"nchan did not reach Redis: {log.read_text()[-500:]}")
        time.sleep(0.05)


class Publisher:
    """POSTs messages on one connection, many in one write."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish (channel, data) each; return when all are accepted."""
        if not self._connection:
            self._connection = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._connection
        writer.write(b"".join(_post(channel, data) for channel, data in messages))
        for _ in messages:
            await _accepted(reader)

    def close(self) -> None:
        """Leave."""
        if self._connection:
            self._connection[1].close()


def _post(channel: str, data: bytes) -> bytes:
    head = f"POST /publish?channel={channel} HTTP/1.1\r\nHost: bench\r\nX-EventSource-Event: update\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def _accepted(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(ACCEPTED):
        raise ConnectionError(f"nchan did not publish: {head[:200]!r}")
    fields: Mapping[bytes, bytes] = dict(
        line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
    )
    await reader.readexactly(int(fields.get(b"content-length", b"0")))
