"""How long, and for how much, the connections of a listener may last. Pure."""

from msgspec import Struct

KEEP_ALIVE = 75.0  # seconds; longer than the 60 of load balancers, or they send requests into closing connections


class Bounds(Struct, frozen=True, kw_only=True):
    """What one process allows; times are seconds, kept to the second."""

    head_within: float = (
        10.0  # from the first byte of a request, or from the connection's begin, to the end of its head
    )
    kept_for: float = KEEP_ALIVE  # from the end of an answer to the first byte of the next request
    refused_for: float = 2.0  # that a client has to read why it was refused
