"""What the api refuses, beside what streams.errors names.

HeadwayError
├── JobNotFound           no such job, or someone else's
├── CallerUnknown         no token, or one that does not hold
├── IssuerUnavailable     the keys that tokens are checked with cannot be had now
├── TooManyStreams        the user, or this process, has as many as it may
└── ParameterRefused      a part of the request is not what is allowed
"""

from streams.errors import HeadwayError


class JobNotFound(HeadwayError):
    """There is no such job, or it is someone else's; nobody learns which."""


class CallerUnknown(HeadwayError):
    """The request carries no token, or one that does not hold."""


class IssuerUnavailable(HeadwayError):
    """The keys that tokens are checked with cannot be had now; that is no fault of the caller."""


class TooManyStreams(HeadwayError):
    """The user, or this process, has as many streams open as it may."""

    def __init__(self, detail: str, *, of_user: bool) -> None:
        super().__init__(detail)
        self.of_user = of_user


class ParameterRefused(HeadwayError):
    """A part of the request is not what is allowed."""

    def __init__(self, parameter: str, given: str, allowed: str) -> None:
        super().__init__(f"{parameter} is {given}; allowed: {allowed}")
        self.parameter = parameter
        self.allowed = allowed
