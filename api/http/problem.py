"""The body of every error. Pure."""

from msgspec import Struct


class Problem(Struct, frozen=True, omit_defaults=True):
    """What went wrong with a request, as RFC 9457 wants it told."""

    title: str
    status: int
    detail: str
    parameter: str | None = None
    allowed: str | None = None
