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

from streams.channel.layout import HOME, Node, slot_of
from streams.channel.nodes import Nodes
from streams.errors import ChannelUnavailable, WrongServer

Word = str | bytes | int
# Inside a script, and where redis-py has no class of its own, the text tells.
WRONG_SERVER = re.compile(r"\b(READONLY|MASTERDOWN|LOADING|NOREPLICAS|UNBLOCKED)\b")
PAUSES = (0.0, 0.0, 0.0, *[0.05] * 40)  # seconds before each attempt; a slot with few keys moves in less than their sum


class Errand(Struct):
    """A command, the key that decides where it goes, and in the end the answer, or the ResponseError of a refusal."""

    key: bytes
    words: tuple[Word, ...]
    answer: Any = None
    aside: Node | None = None  # the node to which a slot is moving, where that had to be asked
    sent_to: Node = HOME

    @property
    def value(self) -> Any:
        """The answer; raises ChannelUnavailable where the command was refused."""
        if isinstance(self.answer, RedisError):
            raise ChannelUnavailable(f"{self.words[0]!s}: {self.answer}") from self.answer
        return self.answer


async def run(nodes: Nodes, errands: Sequence[Errand], script: str | None = None) -> None:
    """Run the commands, those of one key in order; a node that lacks the script of an EVALSHA is given it.

    Raises ChannelUnavailable when a node fails; then some have run and some have not.
    """
    left = list(errands)
    for pause in PAUSES:
        if pause:
            await asyncio.sleep(pause)
        await _send(nodes, left, script)
        left = [errand for errand in left if isinstance(errand.answer, RedisError) and _again(nodes, errand)]
        if not left:
            return
    raise ChannelUnavailable(f"{len(left)} commands found no node that takes them: {left[0].answer}")


async def _send(nodes: Nodes, errands: list[Errand], script: str | None) -> None:
    layout = await nodes.layout()
    parcels: defaultdict[Node, list[Errand]] = defaultdict(list)
    for errand in errands:
        owner = errand.aside or layout.owner_of(errand.key)
        if owner is None:
            nodes.doubt()
            raise ChannelUnavailable(f"no node owns slot {slot_of(errand.key)}")
        errand.sent_to = owner
        parcels[owner].append(errand)
    sending = [_deliver(nodes.client(node), parcel, script) for node, parcel in parcels.items()]
    for failure in await asyncio.gather(*sending, return_exceptions=True):
        if isinstance(failure, RedisError | OSError):
            nodes.doubt()
            raise ChannelUnavailable(str(failure)) from failure
        if failure:
            nodes.doubt()
            raise failure


async def _deliver(client: Redis, errands: list[Errand], script: str | None) -> None:
    await _pipeline(client, errands)
    unknown = [errand for errand in errands if isinstance(errand.answer, NoScriptError)]
    if unknown and script:
        await client.script_load(script)
        await _pipeline(client, unknown)


async def _pipeline(client: Redis, errands: list[Errand]) -> None:
    pipeline = client.pipeline(transaction=False)
    for errand in errands:
        if errand.aside:
            pipeline.execute_command("ASKING")
        pipeline.execute_command(*errand.words)
    answers = iter(await pipeline.execute(raise_on_error=False))
    for errand in errands:
        if errand.aside:
            next(answers)
        errand.answer = next(answers)
    if wrong := next((errand.answer for errand in errands if _is_of_wrong_server(errand.answer)), None):
        # A connection stays with the server that it was made to; the next one goes to whom the name stands for now.
        await client.connection_pool.disconnect(inuse_connections=False)
        raise WrongServer(str(wrong)) from wrong


def _is_of_wrong_server(answer: Any) -> bool:
    """Whether a server says that it takes no writes: demoted, loading, or cut off from the others."""
    if isinstance(answer, ReadOnlyError | MasterDownError):
        return True
    return isinstance(answer, RedisError) and WRONG_SERVER.search(str(answer)) is not None


def _again(nodes: Nodes, errand: Errand) -> bool:
    """Say whether a command that was not run may be taken elsewhere, or later; and remember where."""
    errand.aside, came_from = None, errand.aside
    match errand.answer:
        case MovedError() as moved:
            nodes.moved(moved)
        case AskError() as asked:
            # A node that knows no name of the other says none: it is at the host that answered.
            errand.aside = Node(asked.host or errand.sent_to.host, asked.port)
        case TryAgainError():
            pass  # Its keys are on both sides.
        case ClusterDownError():
            nodes.doubt()
        case ResponseError():
            errand.aside = came_from
            return False
    return True
