"""An EventSource for tests: follows a stream across its ends, as a browser does, and keeps what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse
from msgspec import json

BACK_AFTER = 0.05  # seconds; a browser waits what `retry:` says


class Watcher:
    """Reads `url` until it is told to stop coming back (204), or `until` is true of what it was told."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.events: list[ServerSentEvent] = []
        self.statuses: list[int] = []
        self._headers = headers
        self._last_event_id = ""
        self._news = asyncio.Event()

    @property
    def states(self) -> list[dict[str, Any]]:
        """The public JSON of every state told."""
        return [json.decode(event.data) for event in self.events if event.event in {"update", "done"}]

    async def run(self) -> None:
        """Follow the stream and come back whenever it ends, until 204 or another refusal."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=40)) as client:
            while True:
                try:
                    async for event in self._connect(client):
                        self._take(event)
                except httpx.TransportError:
                    self.statuses.append(0)
                if self.statuses[-1] not in {0, 200, 503}:
                    return
                await asyncio.sleep(BACK_AFTER)

    async def until(self, told: Callable[["Watcher"], bool], seconds: float = 30) -> None:
        """Wait until something is true of what was told."""
        async with asyncio.timeout(seconds):
            while not told(self):
                self._news.clear()
                await self._news.wait()

    async def _connect(self, client: httpx.AsyncClient) -> AsyncIterator[ServerSentEvent]:
        headers = self._headers | ({"Last-Event-ID": self._last_event_id} if self._last_event_id else {})
        async with aconnect_sse(client, "GET", self.url, headers=headers) as source:
            self.statuses.append(source.response.status_code)
            self._news.set()
            if source.response.status_code == httpx.codes.OK:
                async for event in source.aiter_sse():
                    yield event

    def _take(self, event: ServerSentEvent) -> None:
        self.events.append(event)
        self._last_event_id = event.id or self._last_event_id
        self._news.set()
