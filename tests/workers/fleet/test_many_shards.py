"""Many shards over few connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from botocore.exceptions import ClientError
from msgspec import json

from streams.feed.feed import Feed
from streams.table.client import connect_dynamodb
from tests.workers.fleet.desk import Desk
from tests.workers.fleet.fake_stream import FakeStream
from tests.workers.fleet.world import World
from workers.demo.engines import free_port, local_aws

SHARDS = 64
CONNECTIONS = 4
OPERATIONS = {
    "DescribeStream": "describe_stream",
    "GetShardIterator": "get_shard_iterator",
    "GetRecords": "get_records",
}


class Server:
    """The fake stream behind real HTTP, where every call takes its time; remembers how many were under way at once."""

    def __init__(self, stream: FakeStream) -> None:
        self.most_busy = 0
        self._busy = 0
        self._stream = stream

    async def answer(self, request: web.Request) -> web.Response:
        self._busy += 1
        self.most_busy = max(self.most_busy, self._busy)
        await asyncio.sleep(0.002)
        self._busy -= 1
        operation = OPERATIONS[request.headers["X-Amz-Target"].rpartition(".")[2]]
        try:
            answer = getattr(self._stream, operation)(**json.decode(await request.read()))
        except ClientError as error:
            return web.json_response({"__type": error.response["Error"]["Code"]}, status=400)
        return web.Response(body=json.encode(answer))


@asynccontextmanager
async def serving(stream: FakeStream, port: int) -> AsyncIterator[Server]:
    """Serve a stream on a loopback port."""
    server = Server(stream)
    app = web.Application()
    app.router.add_post("/", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield server
    finally:
        await runner.cleanup()


async def test_64_shards_share_4_connections_and_a_flood_in_one_starves_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(1, SHARDS)
    world.stream.page = 100
    world.stream.limit = 4
    flood = "the flood"
    world.places[flood] = 0.0
    for _ in range(1000):
        world.write(flood)
    for number in range(1, SHARDS):
        world.places[f"job {number}"] = (number + 0.5) / SHARDS
        world.write(f"job {number}")
    port = free_port()
    for name, value in local_aws(port).items():
        monkeypatch.setenv(name, value)
    streams = connect_dynamodb("dynamodbstreams", local_aws(port), CONNECTIONS)
    async with serving(world.stream, port) as server:
        desk = Desk(world, "worker", Feed(streams, "arn"))
        async with asyncio.timeout(30):
            await asyncio.gather(*(world.published(f"job {number}") for number in range(1, SHARDS)))
        assert not world.writes[flood][-1].published, "the flood was over before it could starve anyone"
        assert server.most_busy <= CONNECTIONS
        await desk.stop()
        await streams.close()
