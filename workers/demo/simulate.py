"""A stand-in for your own pipeline: jobs that make pretended videos, and write their progress as they go.

It knows nothing of Headway. It has a table and the plain boto3 client, and calls PutItem once and then
UpdateItem for each job, as any pipeline would; when it has enough finished jobs it deletes its oldest.
"""

import argparse
import asyncio
import itertools
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  # botocore's own name

from streams.retry import Backoff, Stopped, retry, until_stopped
from workers.demo.media import drawn_shelf, forget_files, make_file, prepare
from workers.demo.plans import Attributes, Plan, Shelf, Step, first_item, interrupted, plan_job, stamped, steps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 4  # enough to keep pace; a real pipeline has workers of its own
AWAY = Backoff(None, first=0.1, longest=6.4)  # without end: the pipeline waits for its table
BUSY = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}


class TableAway(Exception):
    """The table does not answer; the same call may succeed later."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to simulate: `jobs` at once, `pace` seconds for a mean step, `failures` from 0 (none) to 1 (all).

    The same `seed` gives the same jobs, with the same ids. `count` jobs are played, endlessly many if it is
    None; the newest `keep` of the finished ones stay in the table. Pictures are written below `media`, and found
    at `media_url`; without `media`, URLs lead nowhere and nothing is written.
    """

    users: tuple[str, ...] = ("demo",)
    jobs: int = 6
    pace: float = 1.0
    failures: float = 1 / 8
    seed: int = msgspec.field(default_factory=lambda: secrets.randbits(32))
    count: int | None = None
    keep: int = 200
    media: Path | None = None
    media_url: str | None = None


async def simulate(client: "DynamoDBClient", table: str, options: Options, stopping: asyncio.Event) -> None:
    """Play jobs on a table until `count` are done or `stopping` is set; then no job is left unfinished.

    A table that is away is waited for. Errors that waiting does not mend, such as a table that does not
    exist, are raised as boto3's.
    """
    with ThreadPoolExecutor(THREADS, thread_name_prefix="simulate") as pool:
        pipeline = Pipeline(client, table, options, stopping, pool)
        if options.media:
            await pipeline.off_loop(prepare, options.media, time.time())
        await pipeline.run()


def shelf(options: Options) -> Shelf:
    """Where the pictures will be found."""
    if options.media:
        return drawn_shelf((options.media_url or "/media").rstrip("/"))
    return Shelf(options.media_url.rstrip("/")) if options.media_url else Shelf()


def plans(options: Options) -> Iterator[Plan]:
    """The jobs to play, one after another."""
    for number in itertools.count() if options.count is None else range(options.count):
        yield plan_job(options.seed, number, options.users, options.failures)


class Pipeline:
    """Several jobs in play on one table."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        options: Options,
        stopping: asyncio.Event,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.client, self.table, self.options, self.stopping, self.pool = client, table, options, stopping, pool
        self.plans = plans(options)
        self.shelf = shelf(options)
        self.finished = deque[str]()

    async def run(self) -> None:
        """Play as many jobs at once as there are places for."""
        try:
            async with asyncio.TaskGroup() as places:
                for _ in range(self.options.jobs):
                    places.create_task(self.play_jobs())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # what stops one place stops all of them

    async def play_jobs(self) -> None:
        """Play one job after another."""
        for plan in self.plans:
            if self.stopping.is_set():
                return
            await self.play(plan)
            await self.retire(plan.job_id)

    async def play(self, plan: Plan) -> None:
        """Write a job from its first item to its final state, which comes early when stopping."""
        now = int(time.time())
        await self.write(self.client.put_item, Item=typed(first_item(plan, now)))
        for planned in steps(plan, self.shelf):
            stopped = await self.stopped_within(planned.weight * self.options.pace)
            step = interrupted() if stopped else planned
            await self.make_files(plan, step)
            now = max(now, int(time.time()))  # a clock that is set back does not make a job older
            if not await self.updated(plan.job_id, stamped(step.changes, now)) or stopped:
                return

    async def updated(self, job_id: str, changes: Attributes) -> bool:
        """Write changes to a job, and say whether it was still there to be changed."""
        try:
            await self.write(self.client.update_item, **update(job_id, changes))
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    async def make_files(self, plan: Plan, step: Step) -> None:
        """Make what a step will name: before it does, so that no URL is dead when it is first seen."""
        if self.options.media:
            for name in step.files:
                await self.off_loop(make_file, self.options.media, plan, name)

    async def retire(self, job_id: str) -> None:
        """Keep a finished job, and delete the oldest if there are more than enough."""
        self.finished.append(job_id)
        if len(self.finished) <= self.options.keep:
            return
        oldest = self.finished.popleft()
        await self.write(self.client.delete_item, Key=typed({"job_id": oldest}))
        if self.options.media:
            await self.off_loop(forget_files, self.options.media, oldest)

    async def write(self, call: Callable[..., Any], **request: Any) -> None:
        """Make a call on the table; while the table is away, try again, but not when stopping."""

        async def attempt() -> None:
            try:
                await self.off_loop(partial(call, TableName=self.table, **request))
            except (ClientError, ConnectionError, HTTPClientError) as error:
                if passing(error):
                    raise TableAway(str(error)) from error
                raise

        with suppress(Stopped):
            await retry("write job", attempt, TableAway, AWAY, until_stopped(self.stopping))

    async def off_loop(self, call: Callable[..., Any], *args: Any) -> None:
        """Make a blocking call in one of the pool's threads."""
        await asyncio.get_running_loop().run_in_executor(self.pool, call, *args)

    async def stopped_within(self, seconds: float) -> bool:
        """Wait this long, or until stopping; say whether it is stopping."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return self.stopping.is_set()
        return True


def passing(error: Exception) -> bool:
    """Whether an error may be gone when the same call is made again."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response["Error"]["Code"] in BUSY  # noqa: PLR2004  # HTTP: the server's fault


def update(job_id: str, changes: Attributes) -> dict[str, Any]:
    """What UpdateItem is called with; a job that was deleted meanwhile is not brought back as a stump."""
    return {
        "Key": typed({"job_id": job_id}),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
        "ConditionExpression": "attribute_exists(job_id)",
        "ExpressionAttributeNames": {f"#{name}": name for name in changes},
        "ExpressionAttributeValues": {f":{name}": value for name, value in typed(changes).items()},
    }


def typed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as DynamoDB's typed JSON."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in attributes.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `python -m workers simulate` takes; read it with `options_from`."""
    default = Options()
    parser.add_argument("--jobs", type=at_least_one, default=default.jobs, help="at once (default %(default)s)")
    parser.add_argument(
        "--pace", type=seconds, default=default.pace, help="seconds for a mean step (default %(default)s)"
    )
    parser.add_argument(
        "--failures", type=share, default=default.failures, help="share that fails (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="the same seed gives the same jobs (default: another each time)")
    parser.add_argument("--count", type=at_least_one, help="stop after so many jobs (default: never)")
    parser.add_argument(
        "--keep", type=at_least_one, default=default.keep, help="finished jobs kept (default %(default)s)"
    )
    parser.add_argument("--users", type=names, default=default.users, help="whose jobs, comma-separated (default demo)")
    parser.add_argument(
        "--media", type=directory, help="directory to write pictures to (default: none, URLs lead nowhere)"
    )
    parser.add_argument("--media-url", help="where that directory is served (default /media)")


def options_from(args: argparse.Namespace) -> Options:
    """The options that a command line asks for."""
    given = {name: getattr(args, name) for name in Options.__struct_fields__}
    return Options(**{name: value for name, value in given.items() if value is not None})


def at_least_one(text: str) -> int:
    """Read a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """Read a number above 0."""
    number = number_in(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    number = number_in(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return number


def number_in(text: str) -> float:
    """Read a number; what is none is not-a-number, which no range contains."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def names(text: str) -> tuple[str, ...]:
    """Read names between commas."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of user ids with commas between them")
    return found


def directory(text: str) -> Path:
    """Read a path that is a directory, or can become one."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a directory")
    return path
