"""The servers that are measured, each with the requests of its watchers and with what feeds it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from bench.hub_load import DIGITS, Load
from bench.peers import nchan
from streams.channel import Channel, channel_of
from streams.job import Job
from streams.record import Change
from streams.state import State, Version, state_of
from tests.stack import Stack, bearer, typed
from workers.engines import Process, free_port

CROWD = "crowd"  # the job that everyone watches
PAST = 100_000  # seconds by which the table is behind the events, so that they are newer
BATCH = 25  # of BatchWriteItem
EARLIER, LATER = 1_790_000_000_000, 1_790_000_000_001  # epochs: the table's states, and the events


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


async def fill_table(stack: Stack, channel: Channel, prefix: str, names: Sequence[str]) -> None:
    """Put jobs into the table, for Headway to read when somebody begins to watch, and tell Redis their versions.

    Without those every first event would be in doubt, and a read of the table would refuse what is made up.
    """
    jobs = [_job(prefix, name) for name in names]
    earlier = versions(EARLIER)
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        puts = [{"PutRequest": {"Item": _item(job)}} for job in batch]
        await asyncio.to_thread(stack.client.batch_write_item, RequestItems={stack.table: puts})
        await channel.publish([Change(job.user_id, state_of(job, next(earlier))) for job in batch])


def _job(prefix: str, name: str) -> Job:
    then = int(time.time()) - PAST
    user_id = user_of(prefix, name)
    return Job(job_id=name, user_id=user_id, status="pending", prompt="an otter", created_at=then, updated_at=then)


def _item(job: Job) -> dict[str, Any]:
    names = ("job_id", "user_id", "status", "prompt", "created_at", "updated_at")
    return typed({name: getattr(job, name) for name in names})


def start_headway(stack: Stack, channel: Channel) -> Server:
    """Start the api process as it is."""
    api = stack.start_api(HEADWAY_LOG_LEVEL="info", HEADWAY_STREAMS_PER_USER="20000")
    port = int(api.url.rpartition(":")[2])

    def request(name: str) -> bytes:
        return get(f"/api/v1/jobs/{name}/events", **bearer(user_of("headway", name)))

    return Server("Headway", api.process, Load(port), request, ChannelFeed(channel, "headway"))


def start_peer(stack: Stack, channel: Channel, name: str, module: str) -> Server:
    """Start a peer that hears Headway's own messages; it knows no jobs, its clients name channels."""
    port = free_port()
    url = stack.environment["HEADWAY_REDIS_URL"]
    process = stack.start(module, f"bench.peers.{module}", str(port), url)
    process.until_listening(port)

    def request(job: str) -> bytes:
        return get(f"/events?channel={quote(channel_of(user_of(module, job)))}")

    return Server(name, process, Load(port), request, ChannelFeed(channel, module))


def start_nchan(stack: Stack) -> Server:
    """Start two nginx on the same Redis: watchers are on one, and what they hear comes from the other."""
    ports = [free_port(), free_port()]
    url = stack.environment["HEADWAY_REDIS_URL"]
    watched, publishing = (nchan.start(port, url, stack.directory / f"nchan-{port}") for port in ports)

    def request(name: str) -> bytes:
        return get(f"/events?channel={name}")

    return Server("nchan", watched, Load(ports[0]), request, NchanFeed(nchan.Publisher(ports[1])), (publishing,))


def get(path: str, **headers: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
