"""What OpenAPI 3.1 has no words for: the events of a stream. They are told in prose, and by an example of each stream."""

from litestar.openapi.datastructures import ResponseSpec

from api.http.description import AWAY, MANY, NO_JOB, REFUSED, UNKNOWN, answered, problems

EVENTS = """Server-sent events. Every state is an `update`; a final one (completed, failed) is `done`:
`id` is its version, `data` the same JSON as that of the job, on one line. `deleted`: the job is gone, its data
holds the `job_id`. `stale`: the feed behind the stream is broken, what is shown may be old. `live`: it is whole.
`expiring`: the token is about to expire; the stream ends. A comment comes at least every 15 s, and
every stream is ended after some minutes: come back with `Last-Event-ID`, as EventSource does by itself."""

ONE_JOB = f"{EVENTS}\n\nThe stream ends after `done` and `deleted`."
ALL_JOBS = (
    f"{EVENTS}\n\nIt opens with every job that is not final and, for who comes back, every job that changed "
    "meanwhile; then `live`. `done` ends a job, not the stream. A job that you hold as unfinished and that an opening "
    "does not name before `live` is gone, or ended long ago: read it (client/headway.js does)."
)

OF_ONE = """retry: 1873

event: update
id: 1700000000000-100000000000000000001
data: {"job_id":"job_123","status":"processing","progress_percent":66,"created_at":1700000000,"updated_at":1700000123}

event: done
id: 1700000000000-100000000000000000002
data: {"job_id":"job_123","status":"completed","progress_percent":100,"created_at":1700000000,"updated_at":1700000200}

"""
OF_ALL = """retry: 1873

event: update
data: {"job_id":"job_123","status":"processing","progress_percent":66,"created_at":1700000000,"updated_at":1700000123}

event: live
id: @1700000130000000
data: {}

event: done
id: 1700000000000-100000000000000000002@1700000200000000
data: {"job_id":"job_123","status":"completed","progress_percent":100,"created_at":1700000000,"updated_at":1700000200}

"""

ONE_JOB_ANSWERS = {
    200: answered("Events.", str, "text/event-stream", stream=OF_ONE),
    204: ResponseSpec(None, description="The client has seen the final state already: EventSource does not come back."),
    **problems({400: REFUSED, 401: UNKNOWN, 404: NO_JOB, 429: MANY, 503: AWAY}),
}
ALL_JOBS_ANSWERS = {
    200: answered("Events.", str, "text/event-stream", stream=OF_ALL),
    **problems({400: REFUSED, 401: UNKNOWN, 429: MANY, 503: AWAY}),
}
