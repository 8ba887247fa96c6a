"""Litestar's own way: ChannelsPlugin with its Redis backend, and ServerSentEvent, as its documentation shows them.

https://docs.litestar.dev/2/usage/channels.html
"""

import sys
from collections.abc import AsyncIterator

import uvicorn
from litestar import Litestar, get
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.redis import RedisChannelsPubSubBackend
from litestar.response import ServerSentEvent
from litestar.types import SSEData
from redis.asyncio import Redis


@get("/events")
async def events(channel: str, channels: ChannelsPlugin) -> ServerSentEvent:
    """Stream what comes on a channel."""

    async def messages() -> AsyncIterator[SSEData]:
        async with channels.start_subscription([channel]) as subscriber:
            async for message in subscriber.iter_events():
                yield {"event": "update", "data": message.partition(b"\n")[2].decode()}  # without Headway's head

    return ServerSentEvent(messages())


def main(port: int, redis_url: str) -> None:
    """Serve."""
    backend = RedisChannelsPubSubBackend(redis=Redis.from_url(redis_url))
    app = Litestar([events], plugins=[ChannelsPlugin(backend, arbitrary_channels_allowed=True)])
    uvicorn.run(app, port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
