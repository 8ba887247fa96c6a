"""The API's own description, OpenAPI 3.1. Pure.

It is written by hand: what the handlers take is read by api.parameters, and what the SSE endpoints send
has no type that a generator could read. Tests hold it against the app and against real answers.
"""

from typing import Any

from msgspec import json

from api.http.parameters import DEFAULT_PAGE, LARGEST_PAGE, LONGEST_JOB_ID, LONGEST_Q, SORT_WORDS, TIMES
from api.http.problem import Problem
from api.rest.cursor import LONGEST as LONGEST_CURSOR
from api.rest.job_page import JobPage
from streams.jobs.job import STATUSES, PublicJob
from streams.jobs.selection import READ_CALLS, READ_JOBS

Schema = dict[str, Any]

NO_JOB = "No such job, or someone else's."
REFUSED = "A parameter is not what is allowed; the problem names it."
UNKNOWN = "No token, or one that does not hold."
AWAY = "DynamoDB, or the issuer of the tokens, does not answer; try again after Retry-After."

EVENTS = """Server-sent events. Every state is an `update`; a final one (completed, failed) is `done`:
`id` is its version, `data` the same JSON as that of the job, on one line. `deleted`: the job is gone, its data
holds the `job_id`. `stale`: the feed behind the stream is broken, what is shown may be old. `live`: it is whole.
`expiring`: the token is about to expire; the stream ends. A comment comes at least every 15 s, and
every stream is ended after some minutes: come back with `Last-Event-ID`, as EventSource does by itself."""


def describe(cookie: str) -> Schema:
    """Return the description; `cookie` is the one that may carry the token."""
    _, schemas = json.schema_components([JobPage, PublicJob, Problem], ref_template="#/components/schemas/{name}")
    schemas["PublicJob"]["examples"] = [EXAMPLE]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headway",
            "version": "1",
            "description": (
                "Long-running jobs of the caller: listed, read one by one, and followed live. Where jobs are read, "
                "HEAD answers as GET does, without the body."
            ),
        },
        "paths": _paths(),
        "security": [{"bearer": []}, {"cookie": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie, "description": "For EventSource."},
            },
        },
    }


def _paths() -> Schema:
    return {
        "/api/v1/jobs": {"get": _list()},
        "/api/v1/jobs/{job_id}": {"get": _one()},
        "/api/v1/jobs/{job_id}/events": {"get": _events_of_one()},
        "/api/v1/jobs/events": {"get": _events_of_all()},
        "/health/live": {"get": _text("healthLive", "Whether the process runs", {"200": "It runs."})},
        "/health/ready": {
            "get": _text(
                "healthReady",
                "Whether Redis and DynamoDB answer",
                {"200": "Both answer.", "503": "What does not."},
            )
        },
        "/metrics": {"get": _text("metrics", "What was counted, for Prometheus", {"200": "The counters."})},
    }


def _list() -> Schema:
    return {
        "operationId": "listJobs",
        "summary": "List jobs",
        "description": (
            "The caller's jobs that match all filters. A page is full whenever so many match: where matches are so "
            f"rare that {READ_JOBS} jobs, or {READ_CALLS} MB, had to be read, it is short, even empty, and has a "
            "`next_cursor` nevertheless. "
            "Empty texts stand for what is not given; parameters that are not listed here are refused."
        ),
        "parameters": LIST_PARAMETERS,
        "responses": {
            "200": _body("One page.", "JobPage", "application/json", _headers("ETag", "Cache-Control", "Link")),
            "304": _not_modified(),
            **_problems(**{"400": REFUSED, "401": UNKNOWN, "503": AWAY}),
        },
    }


def _one() -> Schema:
    return {
        "operationId": "getJob",
        "summary": "Read one job",
        "description": "As it is now: a consistent read.",
        "parameters": [JOB_ID, IF_NONE_MATCH],
        "responses": {
            "200": _body("The job.", "PublicJob", "application/json", _headers("ETag", "Cache-Control")),
            "304": _not_modified(),
            **_problems(**{"400": REFUSED, "401": UNKNOWN, "404": NO_JOB, "503": AWAY}),
        },
    }


def _events_of_one() -> Schema:
    return {
        "operationId": "followJob",
        "summary": "Follow one job",
        "description": f"{EVENTS}\n\nThe stream ends after `done` and `deleted`.",
        "parameters": [JOB_ID, LAST_EVENT_ID],
        "responses": {
            "200": _stream(),
            "204": {"description": "The client has seen the final state already: EventSource does not come back."},
            **_problems(**{"400": REFUSED, "401": UNKNOWN, "404": NO_JOB, "429": MANY, "503": AWAY}),
        },
    }


def _events_of_all() -> Schema:
    return {
        "operationId": "followJobs",
        "summary": "Follow all jobs",
        "description": (
            f"{EVENTS}\n\nIt opens with every job that is not final and, for who comes back, every job that changed "
            "meanwhile; then `live`. `done` ends a job, not the stream. A job that you hold as unfinished and that an opening "
            "does not name before `live` is gone, or ended long ago: read it (client/headway.js does)."
        ),
        "parameters": [STATUS, LAST_EVENT_ID],
        "responses": {"200": _stream(), **_problems(**{"400": REFUSED, "401": UNKNOWN, "429": MANY, "503": AWAY})},
    }


def _text(operation: str, summary: str, answers: dict[str, str]) -> Schema:
    content = {"text/plain": {"schema": {"type": "string"}}}
    responses = {status: {"description": told, "content": content} for status, told in answers.items()}
    return {"operationId": operation, "summary": summary, "security": [], "responses": responses}


def _body(description: str, schema: str, media_type: str, headers: Schema | None = None) -> Schema:
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


def _problems(**told: str) -> Schema:
    """Describe what is refused, and what no handler can rule out."""
    told |= {"500": "Something went wrong here; it was logged."}
    answers = {status: _body(text, "Problem", "application/problem+json") for status, text in told.items()}
    for status in answers.keys() & {"429", "503"}:
        answers[status]["headers"] = _headers("Retry-After")
    answers["401"]["headers"] = _headers("WWW-Authenticate")
    return answers


def _stream() -> Schema:
    return {"description": "Events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}


def _not_modified() -> Schema:
    return {"description": "The client has it already.", "headers": _headers("ETag", "Cache-Control")}


def _headers(*names: str) -> Schema:
    return {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}


def _query(name: str, description: str, schema: Schema, **examples: Any) -> Schema:
    named = {key.replace("_", " "): {"value": value} for key, value in examples.items()}
    return {"name": name, "in": "query", "description": description, "schema": schema, "examples": named}


MANY = "The user has as many streams open as one may."

HEADERS = {
    "ETag": "Names this very body; send it as If-None-Match.",
    "Cache-Control": "private, no-cache",
    "Link": 'The next page, rel="next", where there is one.',
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "Bearer",
}

EXAMPLE = {
    "job_id": "job_123",
    "status": "processing",
    "stage": "scene_2_complete",
    "progress_percent": 66,
    "scenes_completed": 2,
    "prompt": "A 30 s film about the sea",
    "duration": 30,
    "created_at": 1700000000,
    "updated_at": 1700000123,
}

JOB_ID = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "description": f"At most {LONGEST_JOB_ID} bytes of printable characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_JOB_ID},
    "example": "job_123",
}

LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event seen; EventSource sends it by itself.",
    "schema": {"type": "string"},
    "example": "1700000000000-100000000000000000001",
}

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags that the client has; answered with 304 where one is still right.",
    "schema": {"type": "string"},
    "example": '"58b106627987d0ebcc934d75"',
}

STATUS: Schema = {
    **_query(
        "status",
        "Only these statuses: repeated, or separated by commas. Empty stands for all.",
        {"type": "array", "items": {"type": "string", "enum": ["", *STATUSES]}},
        one=["processing"],
        several=["completed", "failed"],
    ),
    "style": "form",
    "explode": True,
}

TIME: Schema = {"type": "string", "pattern": r"^(-?[0-9]{1,15}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,]+(Z|[+-][0-9:]+))?$"}

LIST_PARAMETERS: list[Schema] = [
    STATUS,
    _query(
        "created_after",
        f"Created at this time or later. {TIMES}.",
        TIME,
        seconds="1700000000",
        clock="2026-11-23T08:30:00Z",
    ),
    _query("created_before", f"Created before this time. {TIMES}.", TIME, clock="2026-11-24T00:00:00+01:00"),
    _query(
        "q",
        "Every one of these words is in the prompt or the title, in whatever case.",
        {"type": "string", "maxLength": LONGEST_Q},
        words="sea sunset",
    ),
    _query(
        "sort",
        "`-` stands for descending; equal jobs stand in the order of their ids, in the same direction (as the table "
        f"holds them where more than {READ_JOBS} were created in one second). By anything but created_at, lists of at "
        f"most {READ_JOBS} jobs and {READ_CALLS} MB can be sorted, where a table without an index for status counts "
        "jobs of other statuses, too. What has no duration stands as 0.",
        {"type": "string", "enum": ["", *SORT_WORDS], "default": "-created_at"},
        default="-created_at",
    ),
    _query(
        "page_size",
        "Jobs on a page.",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE},
        default=DEFAULT_PAGE,
    ),
    _query(
        "page",
        f"For short lists: the number of the page, within the first {READ_JOBS} jobs. Not beside a cursor.",
        {"type": "integer", "minimum": 1, "maximum": READ_JOBS},
        first=1,
    ),
    _query(
        "cursor",
        "`next_cursor` of the page before, of the same filters and sort. Jobs that come meanwhile move nothing.",
        {"type": "string", "maxLength": LONGEST_CURSOR, "pattern": "^[A-Za-z0-9._-]*$"},
        opaque="s_PpTVM5naxH0Ibfu5zBwVsiNGYyZGFjZDFiNWM4NzU1IiwyLFsxNzAwMDAwMDAzLCIiLCIiXV0",
    ),
    IF_NONE_MATCH,
]
