"""Every error as application/problem+json (RFC 9457), naming the parameter and what is allowed."""

from http import HTTPStatus
from typing import Any

import structlog
from botocore.exceptions import ClientError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from api.errors import CallerUnknown, IssuerUnavailable, JobNotFound, ParameterRefused, TooManyStreams
from api.http.problem import Problem
from streams.errors import TableUnavailable

AnyRequest = Request[Any, Any, Any]

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}  # a 404 is one caller's, and for now
RETRY_AFTER = "2"  # seconds
STREAMS_RETRY_AFTER = "30"


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: str) -> Response[Problem]:
    """Make the response for a problem; `more` are its parameter and what is allowed.

    It has no `type`: then its title is the status' own phrase (RFC 9457, 4.2.1).
    """
    body = Problem(HTTPStatus(status).phrase, status, detail, **more)
    return Response(body, status_code=status, media_type="application/problem+json", headers=HEADERS | (headers or {}))


def _job_not_found(_: AnyRequest, error: JobNotFound) -> Response[Problem]:  # noqa: ARG001 - the same for all
    return problem(404, "there is no such job")


def _caller_unknown(_: AnyRequest, error: CallerUnknown) -> Response[Problem]:
    return problem(401, str(error), {"WWW-Authenticate": "Bearer"})


def _parameter_refused(_: AnyRequest, error: ParameterRefused) -> Response[Problem]:
    return problem(400, str(error), parameter=error.parameter, allowed=error.allowed)


def _issuer_unavailable(_: AnyRequest, error: IssuerUnavailable) -> Response[Problem]:
    _blame(error)
    return problem(503, "tokens cannot be checked now, try again", {"Retry-After": RETRY_AFTER})


def _too_many_streams(_: AnyRequest, error: TooManyStreams) -> Response[Problem]:
    _blame(error)
    return problem(429 if error.of_user else 503, str(error), {"Retry-After": STREAMS_RETRY_AFTER})


def _unavailable(_: AnyRequest, error: TableUnavailable) -> Response[Problem]:
    _blame(error)
    return problem(503, "the table does not answer, try again", {"Retry-After": RETRY_AFTER})


def _validation(_: AnyRequest, error: ValidationException) -> Response[Problem]:
    found = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    if not isinstance(found, dict) or "key" not in found:
        return problem(400, error.detail)
    return problem(400, f"{found['key']}: {found['message']}", parameter=found["key"], allowed=found["message"])


def _http(_: AnyRequest, error: HTTPException) -> Response[Problem]:
    return problem(error.status_code, error.detail, error.headers)


def _unexpected(_: AnyRequest, error: Exception) -> Response[Problem]:
    structlog.contextvars.bind_contextvars(exc_info=error)
    return problem(500, "something went wrong here; it was logged")


def _blame(error: Exception) -> None:
    """Have the line that says that the request failed (api/http/requests.py) say why."""
    structlog.contextvars.bind_contextvars(reason=str(error))


HANDLERS: ExceptionHandlersMap = {
    JobNotFound: _job_not_found,
    CallerUnknown: _caller_unknown,
    ParameterRefused: _parameter_refused,
    IssuerUnavailable: _issuer_unavailable,
    TooManyStreams: _too_many_streams,
    TableUnavailable: _unavailable,
    ClientError: _unexpected,
    ValidationException: _validation,
    HTTPException: _http,
    Exception: _unexpected,
}
