"""Why a stream ended: what its last line in the log says, and its count in the metrics. Pure."""

from enum import StrEnum


class Cause(StrEnum):
    """The first reason that came up; what happened behind it is a consequence."""

    DONE = "done"  # the job is final
    DELETED = "deleted"  # the job is gone
    CLIENT_LEFT = "client left"
    AGE = "age"  # the client comes back by itself
    EXPIRED = "token expired"
    SEND_TIMEOUT = "send timeout"  # the client did not read
    SHUTDOWN = "shutdown"  # this process stops
