"""The connections to a Redis: to its one server, or to each node of a Redis Cluster.

Whether it is a cluster is asked, not set. What is known of it is asked for anew whenever something
contradicts it: a failed connection, a redirection, a channel that was pushed out.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from socket import SOCK_STREAM
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import MovedError, RedisError, ResponseError

from streams.channel.layout import HOME, Layout, Node, layout_of
from streams.errors import ChannelUnavailable

ANSWER_WITHIN = 2.0  # seconds that one node may take to say how the cluster looks


LookUp = Callable[[str, int], Awaitable[set[str]]]


async def addresses_of(host: str, port: int) -> set[str]:
    """Return the addresses that a name stands for now; raises OSError where nobody knows it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return {str(address[0]) for *_, address in found}


class Nodes:
    """A client for each node, and the latest answer to who owns what."""

    def __init__(self, redis: Redis, look_up: LookUp = addresses_of) -> None:
        self._clients = {HOME: redis}
        self._look_up = look_up
        self._addresses: set[str] = set()  # of the name in HEADWAY_REDIS_URL
        self._layout = Layout()
        self._in_doubt = True
        self._asking = asyncio.Lock()

    def client(self, node: Node) -> Redis:
        """Return the client of a node, made like the one of HEADWAY_REDIS_URL."""
        if node not in self._clients:
            like = self._clients[HOME].connection_pool
            there = like.connection_kwargs | {"host": node.host, "port": node.port}
            pool = ConnectionPool(connection_class=like.connection_class, **there)
            self._clients[node] = Redis.from_pool(pool)
        return self._clients[node]

    def doubt(self) -> None:
        """Ask who owns what before it is used again."""
        self._in_doubt = True

    def moved(self, told: MovedError) -> None:
        """Believe a node that says who owns a slot; where it does not say which host, ask."""
        if told.host and self._layout.is_cluster:
            self._layout = self._layout.with_slot(told.slot_id, Node(told.host, told.port))
        else:
            self.doubt()

    async def layout(self) -> Layout:
        """Return who owns what; raises ChannelUnavailable where that is in doubt and no node answers."""
        async with self._asking:
            if self._in_doubt:
                self._in_doubt = False
                try:
                    self._layout = await self._ask_any()
                except BaseException:
                    self._in_doubt = True
                    raise
                await self._close(set(self._clients) - {HOME, *self._layout.nodes})
        return self._layout

    async def _ask_any(self) -> Layout:
        """Ask one node after the other; one that calls the cluster broken is believed only if no other answers."""
        last: Layout | None = None
        reason: Exception | None = None
        for node in random.sample(list(self._clients), len(self._clients)):
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    last = await self._ask(node)
            except (RedisError, OSError, TimeoutError) as error:
                reason = error
            else:
                if last.works:
                    return last
        if last is None:
            raise ChannelUnavailable(f"no node answers: {reason}") from reason
        return last

    async def _ask(self, node: Node) -> Layout:
        client = self.client(node)
        try:
            info = await client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
        except ResponseError:  # Cluster support is disabled, or unknown here.
            return Layout()
        slots: list[Any] = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        return layout_of(info, slots, node.host or str(client.connection_pool.connection_kwargs.get("host", "")))

    async def has_moved(self) -> bool:
        """Look the name in HEADWAY_REDIS_URL up; return whether it stands for none of the addresses that it stood for.

        Then no kept connection is used again. A server that is cut off still answers, and knows of no failover.
        """
        known = self._clients[HOME].connection_pool.connection_kwargs
        if "host" not in known or self._layout.is_cluster:
            return False
        try:
            found = await self._look_up(str(known["host"]), int(known.get("port", 6379)))
        except OSError:
            return False  # Nobody knows better just now.
        before, self._addresses = self._addresses, found
        if not before or before & found:
            return False
        await self._clients[HOME].connection_pool.disconnect(inuse_connections=False)
        return True

    async def close(self) -> None:
        """Close the connections that were made here; the client that was given stays its giver's."""
        await self._close(set(self._clients) - {HOME})

    async def _close(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            with suppress(RedisError, OSError):
                await self._clients.pop(node).aclose()
