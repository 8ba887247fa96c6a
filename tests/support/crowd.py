"""Thousands of watchers in one process: bare connections that come back, as a browser does, until they are told not to."""

import asyncio
import random
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from msgspec import json

from streams.jobs.state import Version
from tests.support.sse import blocks_of

ADDRESSES = 50  # loopback addresses that they come from: each has ports for some hundreds
BACK_AFTER = (0.0, 1.0)  # seconds, jittered; a browser waits one to three


class Member:
    """One watcher, who may have seen an event before; `port()` says where it comes to."""

    def __init__(
        self, number: int, path: str, headers: Mapping[str, str], port: Callable[[], int], last_event_id: str = ""
    ) -> None:
        self.events: list[dict[str, str]] = []
        self.statuses: list[int] = []  # 0 where nobody answered
        self.farewells: list[bytes] = []  # the last that each connection said whose end was told
        self.lost = 0  # connections that broke off
        self.last_event_id = last_event_id
        self._source = f"127.0.0.{2 + number % ADDRESSES}"
        self._request = f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n"
        self._request += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._port = port

    @property
    def states(self) -> list[dict[str, Any]]:
        """The public JSON of every state told."""
        return [json.decode(event["data"]) for event in self.events if event["event"] in {"update", "done"}]

    @property
    def never_went_back(self) -> bool:
        """Whether no state of a job was followed by an older one."""
        newest: dict[str, Version] = {}
        for event in self.events:
            if "-" in event.get("id", "") and "table" not in event["id"]:
                job_id, version = json.decode(event["data"])["job_id"], Version.parse(event["id"].partition("@")[0])
                if version < newest.get(job_id, version):
                    return False
                newest[job_id] = version
        return True

    async def run(self) -> None:
        """Watch until 204."""
        while 204 not in self.statuses:
            try:
                await self._visit()
            except (OSError, asyncio.IncompleteReadError):
                self.lost += 1
            await asyncio.sleep(random.uniform(*BACK_AFTER))  # noqa: S311 - jitter, no secret

    async def _visit(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port(), local_addr=(self._source, 0))
        try:
            writer.write(f"{self._request}Last-Event-ID: {self.last_event_id}\r\n\r\n".encode())
            self.statuses.append(int((await reader.readuntil(b"\r\n\r\n"))[9:12]))
            if self.statuses[-1] == 200:
                await self._read(reader)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        said = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            said = (await reader.readexactly(size + 2))[:-2]
            for block in blocks_of(said):
                self.events.append({"event": "", **block})
                self.last_event_id = block.get("id", self.last_event_id)
        await reader.readuntil(b"\r\n")
        self.farewells.append(said)


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process, and those that it starts, have as many sockets as the system allows."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


async def until_all(members: Sequence[Member], is_so: Callable[[Member], bool], seconds: float = 60) -> None:
    """Wait until something is true of every member; says of how many it is not."""
    left = list(members)
    try:
        async with asyncio.timeout(seconds):
            while left := [member for member in left if not is_so(member)]:  # noqa: ASYNC110 - of thousands
                await asyncio.sleep(0.1)
    except TimeoutError:
        one = left[0]
        raise AssertionError(
            f"not so of {len(left)} of {len(members)}: {one.statuses}, {one.lost} lost, {one.events[-2:]}"
        ) from None
