"""Several processes on one port: the kernel shares new connections out among them (SO_REUSEPORT).

Each has its own hub and its own connection to Redis; they share nothing and need not know each other.
"""

import asyncio
import os
import signal
import socket
import sys

from streams.errors import HeadwayError
from streams.settings import Settings

SHARED = "HEADWAY_SHARED_PORT"  # tells a child that its siblings listen on the same port


class ProcessEnded(HeadwayError):
    """One of several processes ended by itself; the others were stopped."""


def listening(settings: Settings) -> list[socket.socket] | None:
    """Return the socket of one among several processes, None where a process listens alone."""
    if SHARED not in os.environ:
        return None
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, settings.port))
    return [listener]


async def run_several(count: int) -> None:
    """Run so many processes until SIGTERM or SIGINT; raises ProcessEnded, and stops the rest, when one ends by itself."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    environment = os.environ | {SHARED: "1", "HEADWAY_PROCESSES": "1"}
    command = (sys.executable, "-m", "api")
    children = [
        await asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True) for _ in range(count)
    ]
    ends = [asyncio.ensure_future(child.wait()) for child in children]
    asked = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([*ends, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for child in children:
        if child.returncode is None:
            child.terminate()
    codes = await asyncio.gather(*ends)
    if not stopping.is_set():
        raise ProcessEnded(f"one of {count} processes ended, the others were stopped; exit codes {codes}")
