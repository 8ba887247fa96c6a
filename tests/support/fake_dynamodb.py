"""A DynamoDB over real sockets that answers BatchGetItem as a table short of capacity does: with keys left unprocessed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.stack import typed

Key = dict[str, dict[str, str]]


class ShortOfCapacity:
    """A table of which each call reads as many keys as `reads` says next; the last one counts for all that follow."""

    def __init__(self, reads: Sequence[int]) -> None:
        self._reads = list(reads)
        self.asked: list[tuple[float, int]] = []  # when (seconds of the loop), and for how many keys

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one BatchGetItem of one table."""
        [(table, wanted)] = (await request.json())["RequestItems"].items()
        keys: list[Key] = wanted["Keys"]
        self.asked.append((asyncio.get_running_loop().time(), len(keys)))
        count = self._reads.pop(0) if len(self._reads) > 1 else self._reads[0]
        left = {table: wanted | {"Keys": keys[count:]}} if keys[count:] else {}
        return web.json_response({"Responses": {table: [_item(key) for key in keys[:count]]}, "UnprocessedKeys": left})


def _item(key: Key) -> dict[str, Any]:
    return key | typed({"user_id": "somebody", "status": "processing", "created_at": 1, "updated_at": 1})


@asynccontextmanager
async def serving(table: ShortOfCapacity) -> AsyncIterator[dict[str, str]]:
    """Serve it on a port of its own, and give AWS' own variables for it."""
    app = web.Application()
    app.router.add_post("/", table.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{runner.addresses[0][1]}",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
    finally:
        await runner.cleanup()
