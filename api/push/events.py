"""The SSE endpoints: one job's events, and those of all the caller's jobs.

The response is sse-starlette's, made lean: it sends the head, and hands the connection over to a stream
(api/push/stream.py), which needs no task. Then the app is done with the request.
"""

import random
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial

import structlog
from litestar import get
from litestar.di import NamedDependency
from sse_starlette.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from api.auth.callers import Caller
from api.http.connection import CONNECTION, Protocol
from api.http.description import Described, JobId, LastEventId, Statuses
from api.http.parameters import job_id_from, statuses_from
from api.http.paths import segment_of
from api.http.requests import REQUEST_ID, respond
from api.push import frames
from api.push.description import ALL_JOBS, ALL_JOBS_ANSWERS, ONE_JOB, ONE_JOB_ANSWERS
from api.push.hub import Hub
from api.push.mailbox import Mailbox
from api.push.stream import Stream

log = structlog.get_logger()

RETRY = (1000, 3000)  # milliseconds, jittered: those who lost the same process should not come back at once
LONGEST_EVENT_ID = 256


@get(
    "/jobs/{job_id:str}/events",
    media_type="text/event-stream",
    operation_id="followJob",
    operation_class=Described,
    summary="Follow one job",
    description=ONE_JOB,
    responses=ONE_JOB_ANSWERS,
)
async def job_events(
    caller: NamedDependency[Caller], hub: NamedDependency[Hub], job_id: JobId, last_event_id: LastEventId = ""
) -> EventSourceResponse:
    """Stream the states of one job until it is final."""
    name = job_id_from(segment_of(job_id))
    structlog.contextvars.bind_contextvars(job_id=name)
    return JobStream(hub, caller, name, last_event_id[:LONGEST_EVENT_ID])


@get(
    "/jobs/events",
    media_type="text/event-stream",
    operation_id="followJobs",
    operation_class=Described,
    summary="Follow all jobs",
    description=ALL_JOBS,
    responses=ALL_JOBS_ANSWERS,
)
async def all_events(
    caller: NamedDependency[Caller], hub: NamedDependency[Hub], status: Statuses = None, last_event_id: LastEventId = ""
) -> EventSourceResponse:
    """Stream the states of all the caller's jobs, or of those in some statuses."""
    return JobsStream(hub, caller, statuses_from(status), last_event_id[:LONGEST_EVENT_ID])


class EventStream(EventSourceResponse):
    """A response that begins a stream. The head is sse-starlette's, made once; none of its tasks are started."""

    # The connection ends with the stream: it is no longer the HTTP server's when that happens.
    stock = EventSourceResponse(iter(()))
    stock.headers["Connection"] = "close"
    stock.headers["X-Content-Type-Options"] = "nosniff"

    def __init__(self, hub: Hub, caller: Caller, last_event_id: str) -> None:
        self.status_code = self.stock.status_code
        self.raw_headers = self.stock.raw_headers
        self.background = None
        self.hub = hub
        self.caller = caller
        self.last_event_id = last_event_id

    async def begin(self, mailbox: Mailbox, leave: Callable[[], None], scope: Scope, send: Send) -> None:
        """Send the head of the response, and hand the connection over to the stream."""
        connection: Protocol = scope["extensions"][CONNECTION]
        request_id: str = scope["state"][REQUEST_ID]
        head = list(self.raw_headers)  # a copy: the CORS middleware writes the caller's origin into it
        await send({"type": "http.response.start", "status": self.status_code, "headers": head})
        retry = frames.retry(random.randint(*RETRY))  # noqa: S311 - jitter, no secret
        await send({"type": "http.response.body", "body": retry, "more_body": True})
        log.info("stream opened", request_id=request_id, job_id=mailbox.job_id)
        connection.hand_over(Stream(mailbox, self.hub.outbox, self.hub.counts, request_id, leave))


class JobStream(EventStream):
    """One job's events; raises JobNotFound before anything was sent."""

    def __init__(self, hub: Hub, caller: Caller, job_id: str, last_event_id: str) -> None:
        super().__init__(hub, caller, last_event_id)
        self._job_id = job_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer the request: 204 where the client has seen the last state already."""
        reader = self.hub.join(self.caller, self._job_id, self.last_event_id)
        with ExitStack() as leaving:
            leaving.callback(self.hub.leave, reader)
            if await self.hub.open(reader):
                await self.begin(reader.mailbox, partial(self.hub.leave, reader), scope, send)
                leaving.pop_all()
            else:
                await respond(send, 204, [])


class JobsStream(EventStream):
    """The events of all jobs of a user."""

    def __init__(self, hub: Hub, caller: Caller, statuses: Collection[str], last_event_id: str) -> None:
        super().__init__(hub, caller, last_event_id)
        self._statuses = statuses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer the request."""
        reader = self.hub.join_all(self.caller, self._statuses)
        with ExitStack() as leaving:
            leaving.callback(self.hub.leave_all, reader)
            await self.hub.open_all(reader, self.last_event_id)
            await self.begin(reader.mailbox, partial(self.hub.leave_all, reader), scope, send)
            leaving.pop_all()
