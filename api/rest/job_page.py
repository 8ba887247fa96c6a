"""The body of a list. Pure."""

from msgspec import Struct

from streams.jobs.job import PublicJob


class JobPage(Struct, frozen=True, omit_defaults=True):
    """One page of the caller's jobs; `total_count` counts all that match.

    `next_cursor` is there where more follow. `total_count_exact` is there, and false, only where there was so
    much to count that counting was given up: then there are more than `total_count`.
    """

    jobs: list[PublicJob]
    total_count: int
    page: int
    page_size: int
    next_cursor: str | None = None
    total_count_exact: bool = True
