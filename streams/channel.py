"""The Redis channel between relay and api: the latest state of each job, and who is told of it."""

from collections.abc import Iterable, Sequence
from enum import Enum
from importlib.resources import files

from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from streams.errors import ChannelUnavailable
from streams.message import head_of, state_from_message
from streams.record import Change
from streams.state import State

KEEP = 24 * 3600  # seconds; what DynamoDB Streams keeps, so a replay always meets what it repeats
PUBLISH = files(__package__).joinpath("publish.lua").read_text()
RECENT = 60_000_000  # microseconds; far more than an index of DynamoDB lags behind its table
LATEST = ("head", "position", "data")


class Outcome(Enum):
    """What became of a published change."""

    PUBLISHED = "published"
    REPEATED = "repeated"
    OLDER = "older"


class Recent(Struct, frozen=True):
    """Jobs that changed since a position, and the position of now (Redis' clock, microseconds)."""

    now: int
    job_ids: list[str]


def channel_of(user_id: str) -> bytes:
    """Return the channel on which a user's watchers are told; it shares its hash slot with the user's keys."""
    return b"hw:{" + _escaped(user_id).encode() + b"}"


def latest_key(user_id: str, job_id: str) -> str:
    """Return the key of a job's latest state."""
    return f"hw:{{{_escaped(user_id)}}}:job:{job_id}"


def changed_key(user_id: str) -> str:
    """Return the key of the set of a user's jobs that changed in the last 24 hours."""
    return f"hw:{{{_escaped(user_id)}}}:changed"


def _escaped(user_id: str) -> str:
    """Keep a user id from ending the hash tag, or two users from sharing a key."""
    return user_id.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def connect_redis(url: str) -> Redis:
    """Make the client of a process; it connects when first used."""
    return Redis.from_url(
        url,
        protocol=2,  # redis-py gives RESP3's pushed messages to a handler of its own, not to whoever reads the connection
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),  # once, for a pooled connection that died; holding on is the caller's business
    )


class Channel:
    """The latest states and the publishing of newer ones; every call raises ChannelUnavailable where Redis fails."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script: str | None = None

    async def publish(self, changes: Sequence[Change]) -> list[Outcome]:
        """Store and tell each change that is newer than what is stored, in order, in one round trip.

        After ChannelUnavailable some may be published and some not; publishing all of them again is harmless.
        """
        try:
            self._script = self._script or await self._load()
            try:
                return await self._publish(changes, self._script)
            except NoScriptError:  # Redis was restarted since
                self._script = await self._load()
                return await self._publish(changes, self._script)
        except (RedisError, OSError) as error:
            raise ChannelUnavailable(f"publish: {error}") from error

    async def _load(self) -> str:
        return str(await self._redis.script_load(PUBLISH))

    async def _publish(self, changes: Sequence[Change], script: str) -> list[Outcome]:
        pipeline = self._redis.pipeline(transaction=False)
        for change in changes:
            pipeline.evalsha(script, 2, *_arguments(change))
        return [_outcome(int(answer)) for answer in await pipeline.execute()]

    async def latest(self, jobs: Iterable[tuple[str, str]]) -> list[State]:
        """Return the latest states that Redis holds of these (user id, job id); those it does not hold are left out."""
        pipeline = self._redis.pipeline(transaction=False)
        for user_id, job_id in jobs:
            pipeline.hmget(latest_key(user_id, job_id), *LATEST)
        try:
            rows = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise ChannelUnavailable(f"latest: {error}") from error
        return [state_from_message(b"%s %s\n%s" % tuple(row)) for row in rows if None not in row]

    async def recent(self, user_id: str, since: int | None) -> Recent:
        """Return which jobs changed after a position, within the last minute where it is None."""
        try:
            seconds, micros = await self._redis.time()
            now = int(seconds) * 1_000_000 + int(micros)
            after = since if since is not None else now - RECENT
            rows: list[bytes] = await self._redis.zrangebyscore(  # type: ignore[assignment]
                changed_key(user_id), f"({after}", "+inf"
            )
        except (RedisError, OSError) as error:
            raise ChannelUnavailable(f"recent: {error}") from error
        return Recent(now, [str(row, "utf-8") for row in rows])

    async def ping(self) -> None:
        """Return when Redis answered."""
        try:
            await self._redis.time()
        except (RedisError, OSError) as error:
            raise ChannelUnavailable(f"ping: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _arguments(change: Change) -> tuple[str | bytes | int, ...]:
    state = change.state
    assert state.version  # noqa: S101 - what comes out of the stream has one
    return (
        latest_key(change.user_id, state.job_id),
        changed_key(change.user_id),
        "PUBLISH",
        channel_of(change.user_id),
        str(state.version.epoch),
        str(state.version.sequence),
        head_of(state),
        state.data,
        state.job_id,
        KEEP,
    )


def _outcome(answer: int) -> Outcome:
    if answer > 0:
        return Outcome.PUBLISHED
    return Outcome.REPEATED if answer == 0 else Outcome.OLDER
