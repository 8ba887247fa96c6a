"""The SSE endpoints: one job's events, and those of all the caller's jobs.

The response is sse-starlette's, made lean: it streams from a mailbox of the hub, pings come from the
hub's one clock, and the end of the process is told by the hub (FACTS 4 to 6 of the design say what the
stock class costs). Nothing that has to be awaited happens on the way out: after a disconnect an await
would never return.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from typing import Annotated, Any

import structlog
from litestar import Request, get
from litestar.params import Parameter
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from api import frames
from api.hub import Hub
from api.mailbox import Mailbox
from api.parameters import job_id_from, statuses_from

log = structlog.get_logger()

SEND_TIMEOUT = 5.0  # seconds that a client may refuse to read
RETRY = (1000, 3000)  # milliseconds, jittered: those who lost the same process should not come back at once
LONGEST_EVENT_ID = 256


@get("/jobs/{job_id:str}/events", media_type="text/event-stream")
async def job_events(request: Request[Any, Any, Any], user_id: str, hub: Hub, job_id: str) -> EventSourceResponse:
    """Stream the states of one job until it is final."""
    return JobStream(hub, user_id, job_id_from(job_id), _last_event_id(request))


@get("/jobs/events", media_type="text/event-stream")
async def all_events(
    request: Request[Any, Any, Any],
    user_id: str,
    hub: Hub,
    status: Annotated[list[str] | None, Parameter(query="status")] = None,
) -> EventSourceResponse:
    """Stream the states of all the caller's jobs, or of those in some statuses."""
    return JobsStream(hub, user_id, statuses_from(status), _last_event_id(request))


class EventStream(EventSourceResponse):
    """A response that sends what comes into a mailbox, in the task of its request."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(_nothing(), send_timeout=SEND_TIMEOUT)
        self._hub = hub

    async def stream(self, mailbox: Mailbox, receive: Receive, send: Send) -> None:
        """Send until the mailbox ends, the client leaves, or it stops to read."""
        self.body_iterator = _frames(mailbox)
        watching = asyncio.ensure_future(_end_when_gone(mailbox, receive))
        try:
            await self._stream_response(send)
        except SendTimeoutError:
            log.info("stream cut", reason=f"the client read nothing for {SEND_TIMEOUT:.0f} s")
        finally:
            watching.cancel()


class JobStream(EventStream):
    """One job's events; raises JobNotFound before anything was sent."""

    def __init__(self, hub: Hub, user_id: str, job_id: str, last_event_id: str) -> None:
        super().__init__(hub)
        self._job = (user_id, job_id, last_event_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer the request: 204 where the client has seen the last state already."""
        with self._hub.slot(*self._job) as (watch, slot):
            if await self._hub.open_slot(watch, slot):
                await self.stream(slot, receive, send)
            else:
                await _no_content(send)


class JobsStream(EventStream):
    """The events of all jobs of a user."""

    def __init__(self, hub: Hub, user_id: str, statuses: Collection[str], last_event_id: str) -> None:
        super().__init__(hub)
        self._jobs = (user_id, statuses)
        self._last_event_id = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer the request."""
        with self._hub.slots(*self._jobs) as (audience, slots):
            await self._hub.open_slots(audience, slots, self._last_event_id)
            await self.stream(slots, receive, send)


async def _frames(mailbox: Mailbox) -> AsyncIterator[bytes]:
    yield frames.retry(random.randint(*RETRY))  # noqa: S311 - jitter, no secret
    while not mailbox.ended:
        if chunk := await mailbox.take():
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def _end_when_gone(mailbox: Mailbox, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    mailbox.end()


async def _no_content(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _last_event_id(request: Request[Any, Any, Any]) -> str:
    return request.headers.get("last-event-id", "")[:LONGEST_EVENT_ID]
