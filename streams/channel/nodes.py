"""The connections to a Redis: to its one server, or to each node of a Redis Cluster.

Whether it is a cluster is asked, not set. The slot map is fetched again whenever something
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

from streams.channel.slots import DEFAULT_NODE, Node, SlotMap, parse_slot_map
from streams.errors import ChannelUnavailable

QUERY_TIMEOUT = 2.0  # seconds for one node to describe the cluster


LookUp = Callable[[str, int], Awaitable[set[str]]]


async def addresses_of(host: str, port: int) -> set[str]:
    """Return the addresses that a name stands for now; raises OSError where nobody knows it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return {str(address[0]) for *_, address in found}


class Nodes:
    """A client for each node, and the latest slot map."""

    def __init__(self, redis: Redis, look_up: LookUp = addresses_of) -> None:
        self._clients = {DEFAULT_NODE: redis}
        self._look_up = look_up
        self._addresses: set[str] = set()  # of the name in HEADWAY_REDIS_URL
        self._slot_map = SlotMap()
        self._is_stale = True
        self._refreshing = asyncio.Lock()

    def client(self, node: Node) -> Redis:
        """Return the client of a node, made like the one of HEADWAY_REDIS_URL."""
        if node not in self._clients:
            like = self._clients[DEFAULT_NODE].connection_pool
            there = like.connection_kwargs | {"host": node.host, "port": node.port}
            pool = ConnectionPool(connection_class=like.connection_class, **there)
            self._clients[node] = Redis.from_pool(pool)
        return self._clients[node]

    def invalidate(self) -> None:
        """Fetch the slot map again before its next use."""
        self._is_stale = True

    def moved(self, error: MovedError) -> None:
        """Apply a redirection; where it names no host, fetch the slot map again."""
        if error.host and self._slot_map.is_cluster:
            self._slot_map = self._slot_map.with_slot(error.slot_id, Node(error.host, error.port))
        else:
            self.invalidate()

    async def slot_map(self) -> SlotMap:
        """Return the slot map; raises ChannelUnavailable where it is stale and no node answers."""
        async with self._refreshing:
            if self._is_stale:
                self._is_stale = False
                try:
                    self._slot_map = await self._query_any()
                except BaseException:
                    self._is_stale = True
                    raise
                await self._close(set(self._clients) - {DEFAULT_NODE, *self._slot_map.nodes})
        return self._slot_map

    async def _query_any(self) -> SlotMap:
        """Ask one node after the other; one that calls the cluster broken is believed only if no other answers."""
        last: SlotMap | None = None
        reason: Exception | None = None
        for node in random.sample(list(self._clients), len(self._clients)):
            try:
                async with asyncio.timeout(QUERY_TIMEOUT):
                    last = await self._query(node)
            except (RedisError, OSError, TimeoutError) as error:
                reason = error
            else:
                if last.is_ok:
                    return last
        if last is None:
            raise ChannelUnavailable(f"no node answers: {reason}") from reason
        return last

    async def _query(self, node: Node) -> SlotMap:
        client = self.client(node)
        try:
            info = await client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
        except ResponseError:  # Cluster support is disabled, or unknown here.
            return SlotMap()
        slots: list[Any] = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        return parse_slot_map(info, slots, node.host or str(client.connection_pool.connection_kwargs.get("host", "")))

    async def has_moved(self) -> bool:
        """Look the name in HEADWAY_REDIS_URL up; return whether it stands for none of the addresses that it stood for.

        Then no kept connection is used again. A server that is cut off still answers, and knows of no failover.
        """
        known = self._clients[DEFAULT_NODE].connection_pool.connection_kwargs
        if "host" not in known or self._slot_map.is_cluster:
            return False
        try:
            found = await self._look_up(str(known["host"]), int(known.get("port", 6379)))
        except OSError:
            return False  # Nobody knows better just now.
        before, self._addresses = self._addresses, found
        if not before or before & found:
            return False
        await self._clients[DEFAULT_NODE].connection_pool.disconnect(inuse_connections=False)
        return True

    async def close(self) -> None:
        """Close the connections that were made here; the client that was given stays its giver's."""
        await self._close(set(self._clients) - {DEFAULT_NODE})

    async def _close(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            with suppress(RedisError, OSError):
                await self._clients.pop(node).aclose()
