"""The textbook hub: sse-starlette and redis-py, each used as its documentation shows it.

One pub/sub connection per process, an asyncio.Queue per client, and an event object per event:
https://github.com/sysid/sse-starlette and https://redis.readthedocs.io/en/stable/examples/asyncio_examples.html
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route


class Hub:
    """The queues of all clients by channel."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._queues: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    async def run(self) -> None:
        """Hand every message to the queues of its channel."""
        await self._pubsub.subscribe("textbook")
        async for message in self._pubsub.listen():
            data = message["data"].partition("\n")[2]  # Headway's head is in front of the JSON
            for queue in self._queues[message["channel"]]:
                queue.put_nowait(data)

    async def events(self, channel: str) -> AsyncIterator[ServerSentEvent]:
        """Yield what comes on a channel."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._queues[channel].add(queue)
        try:
            await self._pubsub.subscribe(channel)
            while True:
                yield ServerSentEvent(data=await queue.get(), event="update")
        finally:
            self._queues[channel].discard(queue)


def main(port: int, redis_url: str) -> None:
    """Serve."""
    hub = Hub(Redis.from_url(redis_url, decode_responses=True))

    async def events(request: Request) -> EventSourceResponse:
        return EventSourceResponse(hub.events(request.query_params["channel"]))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(hub.run())
        yield
        task.cancel()

    app = Starlette(routes=[Route("/events", events)], lifespan=lifespan)
    uvicorn.run(app, port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
