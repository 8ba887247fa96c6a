"""Commands on their way to the nodes that own their keys, one pipeline a node.

While a slot moves between two nodes of a cluster, some commands are redirected, and some have to wait
until all keys that they name are on one side.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from streams.channel.nodes import Nodes
from streams.channel.slots import DEFAULT_NODE, Node, slot_of
from streams.errors import ChannelUnavailable, WrongServer

Argument = str | bytes | int
# Inside a script, and where redis-py has no class of its own, the text tells.
WRONG_SERVER = re.compile(r"\b(READONLY|MASTERDOWN|LOADING|NOREPLICAS|UNBLOCKED)\b")
# Seconds before each attempt; a slot with few keys moves in less than their sum.
RETRY_PAUSES = (0.0, 0.0, 0.0, *[0.05] * 40)


class Command(Struct):
    """A command, the key that decides where it goes, and in the end the answer, or the ResponseError of a refusal."""

    key: bytes
    arguments: tuple[Argument, ...]
    answer: Any = None
    importing: Node | None = None  # the node that imports the slot, where an ASK named it
    sent_to: Node = DEFAULT_NODE

    @property
    def value(self) -> Any:
        """The answer; raises ChannelUnavailable where the command was refused."""
        if isinstance(self.answer, RedisError):
            raise ChannelUnavailable(f"{self.arguments[0]!s}: {self.answer}") from self.answer
        return self.answer


async def execute(nodes: Nodes, commands: Sequence[Command], script: str | None = None) -> None:
    """Run the commands, those of one key in order; a node that lacks the script of an EVALSHA is given it.

    Raises ChannelUnavailable when a node fails; then some have run and some have not.
    """
    left = list(commands)
    for pause in RETRY_PAUSES:
        if pause:
            await asyncio.sleep(pause)
        await _send(nodes, left, script)
        left = [command for command in left if isinstance(command.answer, RedisError) and _should_retry(nodes, command)]
        if not left:
            return
    raise ChannelUnavailable(f"{len(left)} commands found no node that accepts them: {left[0].answer}")


async def _send(nodes: Nodes, commands: list[Command], script: str | None) -> None:
    slot_map = await nodes.slot_map()
    batches: defaultdict[Node, list[Command]] = defaultdict(list)
    for command in commands:
        owner = command.importing or slot_map.owner_of(command.key)
        if owner is None:
            nodes.invalidate()
            raise ChannelUnavailable(f"no node owns slot {slot_of(command.key)}")
        command.sent_to = owner
        batches[owner].append(command)
    sending = [_execute_at(nodes.client(node), batch, script) for node, batch in batches.items()]
    for failure in await asyncio.gather(*sending, return_exceptions=True):
        if isinstance(failure, RedisError | OSError):
            nodes.invalidate()
            raise ChannelUnavailable(str(failure)) from failure
        if failure:
            nodes.invalidate()
            raise failure


async def _execute_at(client: Redis, commands: list[Command], script: str | None) -> None:
    await _pipeline(client, commands)
    unknown = [command for command in commands if isinstance(command.answer, NoScriptError)]
    if unknown and script:
        await client.script_load(script)
        await _pipeline(client, unknown)


async def _pipeline(client: Redis, commands: list[Command]) -> None:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        if command.importing:
            pipeline.execute_command("ASKING")
        pipeline.execute_command(*command.arguments)
    answers = iter(await pipeline.execute(raise_on_error=False))
    for command in commands:
        if command.importing:
            next(answers)
        command.answer = next(answers)
    if wrong := next((command.answer for command in commands if _is_of_wrong_server(command.answer)), None):
        # A connection stays with the server that it was made to; the next one goes to whom the name stands for now.
        await client.connection_pool.disconnect(inuse_connections=False)
        raise WrongServer(str(wrong)) from wrong


def _is_of_wrong_server(answer: Any) -> bool:
    """Whether a server says that it takes no writes: demoted, loading, or cut off from the others."""
    if isinstance(answer, ReadOnlyError | MasterDownError):
        return True
    return isinstance(answer, RedisError) and WRONG_SERVER.search(str(answer)) is not None


def _should_retry(nodes: Nodes, command: Command) -> bool:
    """Return whether a command that was not run can be retried at another node or later; note which."""
    command.importing, came_from = None, command.importing
    match command.answer:
        case MovedError() as error:
            nodes.moved(error)
        case AskError() as error:
            # A node that knows no name of the other says none: it is at the host that answered.
            command.importing = Node(error.host or command.sent_to.host, error.port)
        case TryAgainError():
            pass  # Its keys are on both sides.
        case ClusterDownError():
            nodes.invalidate()
        case ResponseError():
            command.importing = came_from
            return False
    return True
