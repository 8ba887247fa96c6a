"""The SSE endpoints: one job's events, and those of all the caller's jobs.

The response is sse-starlette's, made lean: the request's one task waits for the client to leave, frames
are sent from the hub (api/stream.py), and pings and age come from its one clock. Nothing that has to be
awaited happens on the way out: after a disconnect an await would never return.
"""

import random
from collections.abc import Collection
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import Parameter
from sse_starlette.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from api import frames
from api.auth import Caller
from api.hub import Hub
from api.mailbox import Mailbox
from api.parameters import job_id_from, statuses_from
from api.server import CUT
from api.stream import Stream

RETRY = (1000, 3000)  # milliseconds, jittered: those who lost the same process should not come back at once
LONGEST_EVENT_ID = 256


@get("/jobs/{job_id:str}/events", media_type="text/event-stream")
async def job_events(request: Request[Any, Any, Any], caller: Caller, hub: Hub, job_id: str) -> EventSourceResponse:
    """Stream the states of one job until it is final."""
    return JobStream(hub, caller, job_id_from(job_id), _last_event_id(request))


@get("/jobs/events", media_type="text/event-stream")
async def all_events(
    request: Request[Any, Any, Any],
    caller: Caller,
    hub: Hub,
    status: Annotated[list[str] | None, Parameter(query="status")] = None,
) -> EventSourceResponse:
    """Stream the states of all the caller's jobs, or of those in some statuses."""
    return JobsStream(hub, caller, statuses_from(status), _last_event_id(request))


class EventStream(EventSourceResponse):
    """A response that sends what comes into a mailbox, in the task of its request.

    Headers and media type are sse-starlette's, made once; none of the stock class' tasks are started.
    """

    stock = EventSourceResponse(iter(()))

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self.status_code = self.stock.status_code
        self.raw_headers = self.stock.raw_headers
        self.background = None
        self.hub = hub
        self.caller = caller

    async def stream(self, mailbox: Mailbox, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the mailbox ends, the client leaves, or it stops to read."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        retry = frames.retry(random.randint(*RETRY))  # noqa: S311 - jitter, no secret
        await send({"type": "http.response.body", "body": retry, "more_body": True})
        await Stream(mailbox, send, self.hub.spawn, self.hub.counts).run(receive, scope["extensions"][CUT])


class JobStream(EventStream):
    """One job's events; raises JobNotFound before anything was sent."""

    def __init__(self, hub: Hub, caller: Caller, job_id: str, last_event_id: str) -> None:
        super().__init__(hub, caller)
        self._job = (job_id, last_event_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request: 204 where the client has seen the last state already."""
        with self.hub.slot(self.caller, *self._job) as (watch, slot):
            if await self.hub.open_slot(watch, slot):
                await self.stream(slot, scope, receive, send)
            else:
                await _no_content(send)


class JobsStream(EventStream):
    """The events of all jobs of a user."""

    def __init__(self, hub: Hub, caller: Caller, statuses: Collection[str], last_event_id: str) -> None:
        super().__init__(hub, caller)
        self._statuses = statuses
        self._last_event_id = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        with self.hub.slots(self.caller, self._statuses) as (audience, slots):
            await self.hub.open_slots(audience, slots, self._last_event_id)
            await self.stream(slots, scope, receive, send)


async def _no_content(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _last_event_id(request: Request[Any, Any, Any]) -> str:
    return request.headers.get("last-event-id", "")[:LONGEST_EVENT_ID]
