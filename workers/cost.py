"""What following a stream costs on AWS, by this code's own intervals: `python -m workers cost`. Pure.

Prices are DynamoDB's on demand, us-east-1, in US dollars; https://aws.amazon.com/dynamodb/pricing/on-demand/.
"""

from msgspec import Struct

from workers.relay.pace import HOT_PAUSE, LONGEST_PAUSE, WATCHED_PAUSE
from workers.relay.timing import CHECKPOINT_EVERY, LOOK_EVERY, RENEW_EVERY

MONTH = 730 * 3600  # seconds
POLL = 0.02 / 100_000  # one GetRecords call, whether it brings records or not
WRITE = 0.625 / 1_000_000  # one item of at most 1 KB
READ = 0.125 / 1_000_000 / 2  # 4 KB, eventually consistent
LEASE = 300  # bytes of a lease item
READ_UNIT = 4096  # bytes
KEPT = 24 / 4 + 1  # leases per open shard: a shard lives some 4 hours, and its lease is kept 24 more


class Line(Struct, frozen=True):
    """One kind of call: how often (seconds), and dollars per month."""

    what: str
    every: float
    dollars: float


def per_shard() -> list[Line]:
    """Return what each shard costs a month: idle while nobody or somebody watches, renewing, and while records come all the time."""
    polls_idle = MONTH / LONGEST_PAUSE * POLL
    polls_watched = MONTH / WATCHED_PAUSE * POLL
    polls_hot = MONTH / HOT_PAUSE * POLL
    renewals = MONTH / RENEW_EVERY * WRITE
    checkpoints = MONTH / CHECKPOINT_EVERY * WRITE
    return [
        Line("idle, nobody watches: GetRecords", LONGEST_PAUSE, polls_idle),
        Line("idle, somebody watches: GetRecords", WATCHED_PAUSE, polls_watched),
        Line("idle: renewals of the lease", RENEW_EVERY, renewals),
        Line("hot, all month: GetRecords", HOT_PAUSE, polls_hot),
        Line("hot, all month: checkpoints, which renew too", CHECKPOINT_EVERY, checkpoints),
    ]


def per_worker(shards: int) -> Line:
    """Return what each worker's looks at the leases cost a month."""
    units = -(-int(shards * KEPT * LEASE) // READ_UNIT)
    return Line(f"looks at the leases of {shards} shards", LOOK_EVERY, MONTH / LOOK_EVERY * units * READ)


def report(shards: int, workers: int) -> str:
    """Return the bill of a fleet that is idle, line by line, and what a hot shard costs."""
    lines = per_shard()
    unwatched, watched, renewals, *_ = lines
    look = per_worker(shards)
    kept = shards * renewals.dollars + workers * look.dollars
    idle = (
        f"${kept + shards * unwatched.dollars:.2f} a month while nobody watches, "
        f"${kept + shards * watched.dollars:.2f} while somebody does"
    )
    rows = [f"  {line.what:<46} every {line.every:4.1f} s   ${line.dollars:7.2f} a month" for line in lines]
    return "\n".join([
        "per shard",
        *rows,
        "per worker",
        f"  {look.what:<46} every {look.every:4.1f} s   ${look.dollars:7.2f} a month",
        f"{shards} shard(s) idle, {workers} worker(s): {idle}",
        "Heartbeats go through Redis: one script call per worker and second, and nothing at DynamoDB.",
        "An empty poll is billed like a full one. As a Lambda (workers/aws_lambda.py) polling is free, invocations are not.",
    ])  # fmt: skip
