"""What the OpenAPI description says of parameters and answers that several endpoints have.

Parameters reach the handlers as text: their own rules (api/http/parameters.py) refuse by name, with what is allowed,
which Litestar's conversion of types does not. So the types and bounds here are what is described, not what is checked.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIHeader, OpenAPIResponse, OpenAPIType, Operation, Parameter, Schema
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from api.http.parameters import LONGEST_JOB_ID
from api.http.problem import Problem
from streams.jobs.job import STATUSES

NO_JOB = "No such job, or someone else's."
REFUSED = "A parameter is not what is allowed; the problem names it."
UNKNOWN = "No token, or one that does not hold."
AWAY = "DynamoDB, or the issuer of the tokens, does not answer; try again after Retry-After."
MANY = "The user has as many streams open as one may."

HEADERS = {
    "ETag": "Names this very body; send it as If-None-Match.",
    "Cache-Control": "private, no-cache",
    "Link": 'The next page, rel="next", where there is one.',
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "Bearer",
}
TEXT = Schema(type=OpenAPIType.STRING)


@dataclass
class Described(Operation):
    """An operation with the headers of its answers, which ResponseSpec has no place for."""

    answers: ClassVar[dict[str, tuple[str, ...]]] = {
        "401": ("WWW-Authenticate",),
        "429": ("Retry-After",),
        "503": ("Retry-After",),
    }

    def __post_init__(self) -> None:
        """Add them, once Litestar has made the rest."""
        for status, names in self.answers.items():
            answer = (self.responses or {}).get(status)
            if isinstance(answer, OpenAPIResponse):
                answer.headers = {name: OpenAPIHeader(description=HEADERS[name], schema=TEXT) for name in names}


@dataclass
class Conditional(Described):
    """An operation that is answered with 304 where the client has the answer (api/http/tagged.py)."""

    answers = Described.answers | dict.fromkeys(("200", "304"), ("ETag", "Cache-Control"))

    def __post_init__(self) -> None:
        """Add the header of the request, of which the handler itself knows nothing."""
        super().__post_init__()
        self.parameters = [*(self.parameters or ()), IF_NONE_MATCH]


IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    param_in="header",
    description="ETags that the client has; answered with 304 where one is still right.",
    schema=TEXT,
    examples={"none": Example(value=""), "etag": Example(value='"58b106627987d0ebcc934d75"')},
)
NOT_MODIFIED = ResponseSpec(None, description="The client has it already.")


def query(description: str, schema: dict[str, Any], **examples: Any) -> QueryParameter:
    """Describe a parameter whose values are of this schema, as JSON Schema names its keywords.

    The first example is what /docs asks with, unless it is told otherwise.
    """
    shown = [Example(summary=name, value=value) for name, value in examples.items()]
    return QueryParameter(description=description, examples=shown, schema_extra={"oneOf": None} | schema)


Statuses = Annotated[
    list[str] | None,
    query(
        "Only these statuses: repeated, or separated by commas. Empty stands for all.",
        {"type": "array", "items": {"type": "string", "enum": ["", *STATUSES]}},
        all=[],
        one=["processing"],
        several=["completed", "failed"],
    ),
]

JobId = Annotated[
    str,
    PathParameter(
        description=f"At most {LONGEST_JOB_ID} bytes of printable characters.",
        examples=[Example(value="job_123")],
        schema_extra={"minLength": 1, "maxLength": LONGEST_JOB_ID},
    ),
]

LastEventId = Annotated[
    str,
    HeaderParameter(
        name="Last-Event-ID",
        description="The id of the last event seen; EventSource sends it by itself.",
        examples=[Example(summary="none", value=""), Example(value="1700000000000-100000000000000000001")],
    ),
]


def answered(description: str, model: Any, media_type: str, **examples: Any) -> ResponseSpec:
    """Describe an answer with a body."""
    shown = [Example(summary=name, value=value) for name, value in examples.items()]
    return ResponseSpec(model, False, description, media_type, shown)


def problems(told: dict[int, str]) -> dict[int, ResponseSpec]:
    """Describe what is refused, and what no handler can rule out."""
    told = told | {500: "Something went wrong here; it was logged."}
    return {status: answered(text, Problem, "application/problem+json") for status, text in told.items()}


def texts(told: dict[int, str]) -> dict[int, ResponseSpec]:
    """Describe answers in words."""
    return {status: answered(text, str, "text/plain") for status, text in told.items()}
