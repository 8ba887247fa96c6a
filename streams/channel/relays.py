"""Heartbeats of the relays on their way through Redis, and back to them whether anybody watches."""

from hashlib import sha1
from importlib.resources import files
from typing import cast

import structlog

from streams.channel.heartbeat import CHANNEL, HEARTBEATS, KEEP, WATCHED, Heartbeat, encoded, heartbeat_from
from streams.channel.nodes import Nodes
from streams.channel.routing import Argument, Command, execute

log = structlog.get_logger()

SCRIPT = files(__package__).joinpath("heartbeat.lua").read_text()
SCRIPT_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # the name that Redis gives it
KEY = HEARTBEATS.encode()


async def beat(nodes: Nodes, heartbeat: Heartbeat) -> bool:
    """Tell that a relay lives, or leaves; return whether anybody watches. Raises ChannelUnavailable."""
    command = "SPUBLISH" if (await nodes.slot_map()).is_cluster else "PUBLISH"
    arguments: tuple[Argument, ...] = ("EVALSHA", SCRIPT_SHA, 2, HEARTBEATS, WATCHED, command, CHANNEL.decode())
    told = Command(KEY, (*arguments, heartbeat.relay, encoded(heartbeat), KEEP, int(heartbeat.is_leaving)))
    await execute(nodes, [told], SCRIPT)
    return bool(told.value)


async def last_heartbeats(nodes: Nodes) -> list[tuple[Heartbeat, float]]:
    """Return the last heartbeat of each relay and its age in seconds. Raises ChannelUnavailable."""
    time, kept = Command(KEY, ("TIME",)), Command(KEY, ("HVALS", HEARTBEATS))
    await execute(nodes, [time, kept])
    now = int(time.value[0])
    messages = cast("list[bytes]", kept.value)
    return [known for message in messages if (known := _read(message, now))]


async def tell_watched(nodes: Nodes, seconds: int) -> None:
    """Say to the relays that somebody watches, for so many seconds. Raises ChannelUnavailable."""
    telling = Command(WATCHED.encode(), ("SET", WATCHED, "1", "EX", seconds))
    await execute(nodes, [telling])
    _ = telling.value


def _read(message: bytes, now: int) -> tuple[Heartbeat, float] | None:
    second, _, rest = message.partition(b" ")
    try:
        return heartbeat_from(rest), max(0.0, float(now - int(second)))
    except ValueError as error:
        log.debug("heartbeat refused", reason=str(error))
        return None
