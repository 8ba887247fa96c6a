"""The body of a list. Pure."""

from typing import Annotated

from msgspec import Meta, Struct

from streams.jobs.job import PublicJob


class JobPage(Struct, frozen=True, omit_defaults=True):
    """One page of the caller's jobs."""

    jobs: list[PublicJob]
    total_count: Annotated[int, Meta(description="All that match, on whatever page.")]
    page: int
    page_size: int
    next_cursor: Annotated[str | None, Meta(description="There where more follow.")] = None
    total_count_exact: Annotated[
        bool,
        Meta(
            description="There, and false, only where there was so much to count that counting was given up: then there are "
            "more than `total_count`."
        ),
    ] = True
