"""The REST endpoints: the caller's jobs, and one of them."""

from typing import Annotated

from litestar import get
from litestar.params import Parameter
from msgspec import Struct

from api.errors import JobNotFound
from api.parameters import job_id_from, statuses_from
from streams.job import PublicJob, public
from streams.table import Table


class JobPage(Struct, frozen=True):
    """One page of the caller's jobs; `total_count` counts all that match."""

    jobs: list[PublicJob]
    total_count: int
    page: int
    page_size: int


@get("/jobs")
async def list_jobs(
    user_id: str,
    table: Table,
    status: Annotated[list[str] | None, Parameter(query="status")] = None,
    page: Annotated[int, Parameter(query="page", ge=1)] = 1,
    page_size: Annotated[int, Parameter(query="page_size", ge=1, le=100)] = 20,
) -> JobPage:
    """List the caller's jobs, the youngest first."""
    found = [job async for job in table.jobs_of(user_id, statuses_from(status))]
    start = (page - 1) * page_size
    return JobPage([public(job) for job in found[start : start + page_size]], len(found), page, page_size)


@get("/jobs/{job_id:str}")
async def get_job(user_id: str, table: Table, job_id: str) -> PublicJob:
    """Return one of the caller's jobs."""
    job = await table.get(job_id_from(job_id))
    if job is None or job.user_id != user_id:
        raise JobNotFound(job_id)
    return public(job)
