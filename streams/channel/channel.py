"""The Redis channel between relay and api: the latest state of each job, and who is told of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum
from hashlib import sha1
from importlib.resources import files
from secrets import token_hex
from typing import cast
from urllib.parse import unquote

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streams.channel import relays
from streams.channel.heartbeat import Heartbeat
from streams.channel.message import completed, head_of, message_of, state_from_message
from streams.channel.nodes import Nodes
from streams.channel.routing import Argument, Command, execute
from streams.errors import ChannelUnavailable
from streams.jobs.change import Change
from streams.jobs.state import State

log = structlog.get_logger()

KEEP = 24 * 3600  # seconds; what DynamoDB Streams keeps, so a replay always meets what it repeats
PUBLISH = files(__package__).joinpath("publish.lua").read_text()
PUBLISH_SHA = sha1(PUBLISH.encode(), usedforsecurity=False).hexdigest()  # the name that Redis gives it
BATCH = 50  # changes of one user in one script call, so that no call holds Redis up for long
RECENT = 60_000_000  # microseconds; far more than an index of DynamoDB lags behind its table
LATEST = ("head", "position", "data")
ANY_LATEST = "hw:{*}:job:*"
LATEST_KEY = re.compile(r"hw:\{([^{}]*)\}:job:(.*)", re.DOTALL)
SHARED_KEY = "hw:key:{api}"  # no user's: theirs begin with hw:{
SCANNED = 1000  # keys looked at in one step of a scan


class Outcome(Enum):
    """What became of a published change."""

    PUBLISHED = "published"
    REPEATED = "repeated"
    OLDER = "older"
    REFUSED = "refused"  # something else lies under the job's key


OUTCOMES = {
    b"same": Outcome.REPEATED,
    b"older": Outcome.OLDER,
    b"refused": Outcome.REFUSED,
}


class Recent(Struct, frozen=True):
    """Jobs that changed since a position, and the position of now (Redis' clock, microseconds)."""

    now: int
    job_ids: list[str]


def channel_of(user_id: str) -> bytes:
    """Return the channel on which a user's watchers are told; it shares its hash slot with the user's keys."""
    return _prefix(user_id).encode()


def latest_key(user_id: str, job_id: str) -> str:
    """Return the key of a job's latest state."""
    return f"{_prefix(user_id)}:job:{job_id}"


def changed_key(user_id: str) -> str:
    """Return the key of the set of a user's jobs that changed in the last 24 hours."""
    return f"{_prefix(user_id)}:changed"


def job_of_key(key: bytes) -> tuple[str, str] | None:
    """Return (user id, job id) of the key of a job's latest state, None for another key."""
    found = LATEST_KEY.fullmatch(key.decode(errors="replace"))
    return (unquote(found[1]), found[2]) if found else None


def _prefix(user_id: str) -> str:
    """Keep a user id from ending the hash tag, or two users from sharing a key."""
    escaped = user_id.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return f"hw:{{{escaped}}}"


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
        self._nodes = Nodes(redis)

    async def publish(self, changes: Sequence[Change]) -> list[Outcome]:
        """Store and tell each change that is newer than what is stored, in order, in one round trip to each node.

        After ChannelUnavailable some may be published and some not; publishing all of them again is harmless.
        """
        tell = "SPUBLISH" if (await self._nodes.slot_map()).is_cluster else "PUBLISH"
        commands = [
            (Command(channel_of(user_id), _arguments(user_id, [changes[number] for number in numbers], tell)), numbers)
            for user_id, numbers in _batches(changes)
        ]
        try:
            await execute(self._nodes, [command for command, _ in commands], PUBLISH)
        except ChannelUnavailable:
            # What found no node may have to wait until a slot has moved: nobody else's readers wait with it.
            await self._tell_owners(_stored_aside(changes, commands))
            raise
        await self._tell_owners(_stored_aside(changes, commands))
        outcomes = [Outcome.PUBLISHED] * len(changes)
        for command, numbers in commands:
            for number, answer in zip(numbers, command.value, strict=True):
                outcomes[number] = OUTCOMES.get(answer, Outcome.PUBLISHED)
        return outcomes

    async def _tell_owners(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Tell what is stored where its slot is moving to; until it has moved, everyone listens where it comes from.

        Storing and telling are two calls here. So the latest state is told, whoever stored it: it may have failed
        before it told, and whoever publishes the same again finds it stored.
        """
        if not jobs:
            return
        latest = await self.latest_by_job(jobs)
        messages = [(channel_of(user_id), message_of(state)) for (user_id, _), state in latest.items()]
        telling = [Command(channel, ("SPUBLISH", channel, message)) for channel, message in messages]
        await execute(self._nodes, telling)
        # A refusal raises: what was not told has to be published again.
        log.debug("told where a slot moves from", receivers=sum(command.value for command in telling))

    async def latest(self, jobs: Iterable[tuple[str, str]]) -> list[State]:
        """Return the latest states that Redis holds of these (user id, job id); those it does not hold are left out."""
        return list((await self.latest_by_job(jobs)).values())

    async def latest_by_job(self, jobs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the latest states that Redis holds of these (user id, job id), by user and job."""
        commands = {}
        for user_id, job_id in jobs:
            key = latest_key(user_id, job_id)
            commands[user_id, job_id] = Command(key.encode(), ("HMGET", key, *LATEST))
        await execute(self._nodes, list(commands.values()))
        found = ((job, _stored(command.key, command.value)) for job, command in commands.items())
        return {job: state for job, state in found if state}

    async def known(self) -> AsyncIterator[list[tuple[str, str]]]:
        """Yield, some at a time, (user id, job id) of all jobs whose latest state is kept; one may come twice."""
        for node in (await self._nodes.slot_map()).nodes:
            cursor = 0
            while True:
                try:
                    cursor, keys = await self._nodes.client(node).scan(cursor, match=ANY_LATEST, count=SCANNED)
                except (RedisError, OSError) as error:
                    self._nodes.invalidate()
                    raise ChannelUnavailable(f"scan: {error}") from error
                yield [job for key in cast("list[bytes]", keys) if (job := job_of_key(key))]
                if not cursor:
                    break

    async def recent(self, user_id: str, since: int | None) -> Recent:
        """Return which jobs changed after a position, within the last minute where it is None."""
        key = changed_key(user_id)
        time = Command(key.encode(), ("TIME",))  # of the node that gives the positions
        await execute(self._nodes, [time])
        now = int(time.value[0]) * 1_000_000 + int(time.value[1])
        after = since if since is not None else now - RECENT
        changed = Command(key.encode(), ("ZRANGEBYSCORE", key, f"({after}", "+inf"))
        await execute(self._nodes, [changed])
        return Recent(now, [str(row, "utf-8") for row in changed.value])

    async def beat(self, heartbeat: Heartbeat) -> bool:
        """Tell that a relay lives, or leaves; return whether anybody watches."""
        return await relays.beat(self._nodes, heartbeat)

    async def last_heartbeats(self) -> list[tuple[Heartbeat, float]]:
        """Return the last heartbeat of each relay and its age in seconds."""
        return await relays.last_heartbeats(self._nodes)

    async def tell_watched(self, seconds: int) -> None:
        """Say to the relays that somebody watches, for so many seconds."""
        await relays.tell_watched(self._nodes, seconds)

    async def shared_key(self) -> bytes:
        """Return the secret that all processes with this Redis share; the first that asks makes it, at random."""
        making = Command(SHARED_KEY.encode(), ("SET", SHARED_KEY, token_hex(32), "NX"))
        reading = Command(SHARED_KEY.encode(), ("GET", SHARED_KEY))
        await execute(self._nodes, [making, reading])
        return cast("bytes", reading.value)

    async def look_up(self) -> None:
        """Use no kept connection any more where the name in HEADWAY_REDIS_URL stands for another server now."""
        if await self._nodes.has_moved():
            log.warning("redis moved", reason="its name stands for another address")

    async def ping(self) -> None:
        """Return when Redis answered, each node of it."""
        nodes = (await self._nodes.slot_map()).nodes
        try:
            await asyncio.gather(*(self._nodes.client(node).ping() for node in nodes))
        except (RedisError, OSError) as error:
            self._nodes.invalidate()
            raise ChannelUnavailable(f"ping: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._nodes.close()
        await self._redis.aclose()


def _batches(changes: Sequence[Change]) -> list[tuple[str, list[int]]]:
    """Return the numbers of the changes by user, in order: a user's keys share a hash slot, and go in one call."""
    batches: list[tuple[str, list[int]]] = []
    open_batches: dict[str, list[int]] = {}
    for number, change in enumerate(changes):
        batch = open_batches.get(change.user_id)
        if batch is None or len(batch) == BATCH:
            batch = open_batches[change.user_id] = []
            batches.append((change.user_id, batch))
        batch.append(number)
    return batches


def _stored(key: bytes, values: Sequence[bytes | None]) -> State | None:
    """Read a job's latest state, None where there is none; one that is unreadable is as good as none, the table is read anyway."""
    head, position, data = values
    if head is None or position is None or data is None:
        return None
    try:
        return state_from_message(completed(head, position, data))
    except ValueError as error:
        log.warning(
            "latest state refused", job_id=key.partition(b":job:")[2].decode(errors="replace"), reason=str(error)
        )
        return None


def _stored_aside(
    changes: Sequence[Change], commands: Iterable[tuple[Command, Sequence[int]]]
) -> list[tuple[str, str]]:
    """Return (user id, job id) of what the nodes hold to which slots are moving: nobody listens there yet."""
    return [
        (changes[number].user_id, changes[number].state.job_id)
        for command, numbers in commands
        if command.importing and isinstance(command.answer, list)
        for number, answer in zip(numbers, command.answer, strict=True)
        if OUTCOMES.get(answer) is not Outcome.REFUSED
    ]


def _arguments(user_id: str, changes: Sequence[Change], tell: str) -> tuple[Argument, ...]:
    """Return one script call as Redis takes it, see publish.lua."""
    prefix = _prefix(user_id)
    arguments: list[Argument] = ["EVALSHA", PUBLISH_SHA, len(changes) + 1, f"{prefix}:changed"]
    arguments += [f"{prefix}:job:{change.state.job_id}" for change in changes]
    arguments += [tell, prefix, KEEP]
    for change in changes:
        state = change.state
        assert state.version  # noqa: S101 - what is published has one
        arguments += (str(state.version.epoch), str(state.version.sequence), head_of(state), state.data, state.job_id)
    return tuple(arguments)
