"""The servers that are measured, each with the requests of its watchers and with what feeds it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from bench import items
from bench.hub.load import DIGITS, Load
from bench.peers import nchan
from streams.channel.channel import Channel, channel_of, connect_redis
from streams.jobs.change import Change
from streams.jobs.job import Job
from streams.jobs.state import State, Version, state_of
from tests.support.stack import Stack, bearer, boto_client, typed
from workers.demo.engines import Process, free_port, local_aws, start_ministack

JOBS = [f"job-{number:05}" for number in range(10_000)]
CROWD = "crowd"  # the job that everyone watches
PAST = 100_000  # seconds by which the table is behind the events, so that they are newer
BATCH = 25  # of BatchWriteItem
EARLIER, LATER = 1_790_000_000_000, 1_790_000_000_001  # epochs: the table's states, and the events


class Stage:
    """What all servers stand on: a Redis, and a table that answers faster than streams are opened."""

    def __init__(self, directory: Path, stopping: ExitStack) -> None:
        port = free_port()
        ministack = start_ministack(port, directory)  # Stack makes its tables there; nothing else is asked of it
        stopping.callback(ministack.stop)
        self.stack = Stack(local_aws(port), directory, stopping)
        self.stack.start_redis()
        port = free_port()
        stopping.callback(items.start(port, directory).stop)
        self.items = local_aws(port)
        self.redis_url = self.stack.environment["HEADWAY_REDIS_URL"]
        self.channel = Channel(connect_redis(self.redis_url))

    async def fill_table(self, prefix: str, names: Sequence[str]) -> None:
        """Put jobs into the table, for Headway to read when somebody begins to watch, and tell Redis their versions.

        Without those every first event would be in doubt, and a read of the table would refuse what is made up.
        """
        client = boto_client("dynamodb", self.items)
        jobs = [_job(prefix, name) for name in names]
        earlier = versions(EARLIER)
        for start in range(0, len(jobs), BATCH):
            batch = jobs[start : start + BATCH]
            puts = [{"PutRequest": {"Item": _item(job)}} for job in batch]
            await asyncio.to_thread(client.batch_write_item, RequestItems={self.stack.table: puts})
            await self.channel.publish([Change(job.user_id, state_of(job, next(earlier))) for job in batch])


class Feed(Protocol):
    """Publishes states of jobs in the way that a server hears them."""

    async def publish(self, names: Sequence[str]) -> None:
        """Publish a new state of each job, stamped with the time of now."""


class Server(Struct, frozen=True):
    """A running server, its load process, and what has to end with it."""

    name: str
    process: Process
    load: Load
    request: Callable[[str], bytes]
    feed: Feed
    others: tuple[Process, ...] = ()
    most: int = 5_000  # streams; more are not opened

    def may_hold(self, number: int) -> bool:
        """Say whether so many streams are asked of it."""
        return number <= self.most

    async def open(self, names: Iterable[str]) -> float:
        """Open a stream per name; return the seconds that it took."""
        return await self.load.open([self.request(name) for name in names])

    def stop(self) -> None:
        """End it and its watchers."""
        self.load.stop()
        for process in (self.process, *self.others):
            process.stop()


class ChannelFeed:
    """Headway's own way: through streams.channel, with made-up versions in place of the relay's."""

    def __init__(self, channel: Channel, prefix: str) -> None:
        self._channel = channel
        self._prefix = prefix
        self._versions = versions(LATER)

    async def publish(self, names: Sequence[str]) -> None:
        """Publish in one round trip."""
        await self._channel.publish([change(user_of(self._prefix, name), name, next(self._versions)) for name in names])


class NchanFeed:
    """The same states, through nchan's own publisher: nchan hears nothing else."""

    def __init__(self, publisher: nchan.Publisher) -> None:
        self._publisher = publisher

    async def publish(self, names: Sequence[str]) -> None:
        """Publish in one write."""
        await self._publisher.publish([(name, state(name).data) for name in names])


def versions(epoch: int) -> Iterator[Version]:
    """Count versions up."""
    return (Version(epoch, 10**20 + number) for number in count())


def user_of(prefix: str, name: str) -> str:
    """Return the user whose job it is: every job has another one."""
    return f"{prefix}-{name}"


def change(user_id: str, name: str, version: Version) -> Change:
    """Return the next state of a job, stamped."""
    return Change(user_id, state(name, version))


def state(name: str, version: Version | None = None) -> State:
    """Return a job half done, as pipelines write it: 450 bytes of JSON, with the time in its prompt."""
    now = int(time.time())
    prompt = f"@{time.monotonic_ns():0{DIGITS}}, an otter that learns to skate"
    media = f"https://media.example.com/jobs/{name}"
    job = Job(
        job_id=name,
        user_id="",
        status="processing",
        stage="rendering_scene_2",
        created_at=now - PAST,
        updated_at=now,
        prompt=prompt,
        duration=30,
        thumbnail_url=f"{media}/thumbnail.jpg",
        audio_url=f"{media}/audio.mp3",
        scenes_completed=1,
        scenes_total=3,
        scene_video_urls=(f"{media}/scene-1.mp4",),
    )
    return state_of(job, version)


def _job(prefix: str, name: str) -> Job:
    then = int(time.time()) - PAST
    user_id = user_of(prefix, name)
    return Job(job_id=name, user_id=user_id, status="pending", prompt="an otter", created_at=then, updated_at=then)


def _item(job: Job) -> dict[str, Any]:
    names = ("job_id", "user_id", "status", "prompt", "created_at", "updated_at")
    return typed({name: getattr(job, name) for name in names})


def start_headway(stage: Stage) -> Server:
    """Start the api process as it is."""
    api = stage.stack.start_api(None, HEADWAY_LOG_LEVEL="info", HEADWAY_STREAMS_PER_USER="20000", **stage.items)
    port = int(api.url.rpartition(":")[2])

    def request(name: str) -> bytes:
        return get(f"/api/v1/jobs/{name}/events", **bearer(user_of("headway", name)))

    return Server("Headway", api.process, Load(port), request, ChannelFeed(stage.channel, "headway"), most=10_000)


def start_peer(stage: Stage, name: str, module: str, most: int = 5_000) -> Server:
    """Start a peer that hears Headway's own messages; it knows no jobs, its clients name channels."""
    port = free_port()
    process = stage.stack.start(module, f"bench.peers.{module}", str(port), stage.redis_url)
    process.until_listening(port)

    def request(job: str) -> bytes:
        return get(f"/events?channel={quote(channel_of(user_of(module, job)))}")

    return Server(name, process, Load(port), request, ChannelFeed(stage.channel, module), most=most)


def start_nchan(stage: Stage) -> Server:
    """Start two nginx on the same Redis: watchers are on one, and what they hear comes from the other."""
    ports = [free_port(), free_port()]
    directory = stage.stack.directory
    watched, publishing = (nchan.start(port, stage.redis_url, directory / f"nchan-{port}") for port in ports)

    def request(name: str) -> bytes:
        return get(f"/events?channel={name}")

    return Server(
        "nchan", watched, Load(ports[0]), request, NchanFeed(nchan.Publisher(ports[1])), (publishing,), 10_000
    )


def asked_of(servers: Sequence[Server], *names: str) -> list[Server]:
    """Return the servers with these names."""
    return [server for server in servers if server.name in names]


def get(path: str, **headers: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
