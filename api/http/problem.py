"""The body of every error. Pure."""

from typing import Annotated

from msgspec import Meta, Struct


class Problem(Struct, frozen=True, omit_defaults=True):
    """What went wrong with a request, as RFC 9457 wants it told."""

    title: Annotated[str, Meta(description="The phrase of the status.")]
    status: int
    detail: Annotated[str, Meta(description="What went wrong, for people.")]
    parameter: Annotated[str | None, Meta(description="Which parameter is not what is allowed.")] = None
    allowed: Annotated[str | None, Meta(description="What is.")] = None
