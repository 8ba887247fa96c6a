"""Which node of a Redis owns which key. Pure.

A single Redis owns everything. A Redis Cluster divides the keys among 16384 slots, by the part of the
name in braces, and each slot has one node that writes.
"""

from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct

SLOTS = 16_384


class Node(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.host else "redis"


DEFAULT_NODE = Node("", 0)  # whatever HEADWAY_REDIS_URL names


class SlotMap(Struct, frozen=True):
    """Who owns each slot; no owners at all where a single Redis owns everything."""

    owners: list[Node | None] = []
    is_ok: bool = True  # whether the cluster said so of itself

    @property
    def is_cluster(self) -> bool:
        """Whether keys are divided among nodes."""
        return bool(self.owners)

    @property
    def nodes(self) -> list[Node]:
        """Every node that owns something."""
        return list(dict.fromkeys(owner for owner in self.owners if owner)) if self.is_cluster else [DEFAULT_NODE]

    def owner_of(self, key: bytes) -> Node | None:
        """Return the node to ask for a key, None where the slot has none."""
        return self.owners[slot_of(key)] if self.is_cluster else DEFAULT_NODE

    def with_slot(self, slot: int, owner: Node) -> "SlotMap":
        """Return the map after a slot has moved."""
        return SlotMap([*self.owners[:slot], owner, *self.owners[slot + 1 :]], self.is_ok)


def parse_slot_map(info: bytes, slots: Sequence[Any], asked: str) -> SlotMap:
    """Read what a node answers to CLUSTER INFO and CLUSTER SLOTS; `asked` is its host as we know it."""
    owners: list[Node | None] = [None] * SLOTS
    for first, last, (host, port, *_), *_replicas in slots:
        owner = Node(str(host or b"", "utf-8") or asked, int(port))  # a node that knows no name of its own says none
        owners[first : last + 1] = [owner] * (last + 1 - first)
    return SlotMap(owners, b"cluster_state:ok" in info)


def slot_of(key: bytes) -> int:
    """Return the slot of a key: CRC16 of what is in its first braces, of all of it where there is nothing in them."""
    _, _, behind = key.partition(b"{")
    tag, closed, _ = behind.partition(b"}")
    return crc_hqx(tag if tag and closed else key, 0) % SLOTS
