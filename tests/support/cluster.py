"""A real Redis Cluster on loopback, to be killed, frozen, resharded and failed over."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from workers.demo.engines import Process, free_port, start_valkey

NODE_TIMEOUT = 1000  # milliseconds until the others count a silent node as failed
SETTLED_WITHIN = 20.0


class Member:
    """One node: a process that keeps its name and address when it is started again."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.client: Any = Redis(port=self.port, socket_timeout=5, protocol=2)
        self.process: Process
        self.bus_port = free_port()
        self._directory = directory / str(self.port)
        self._directory.mkdir()

    def start(self) -> None:
        options = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)]
        options += ["--cluster-node-timeout", str(NODE_TIMEOUT), "--repl-diskless-sync-delay", "0"]
        self.process = start_valkey(self.port, self._directory, *options)

    def ask(self, *command: Any) -> Any:
        return self.client.execute_command(*command)

    @property
    def node_id(self) -> str:
        return str(self.ask("CLUSTER", "MYID"), "ascii")

    def meet(self, other: "Member") -> None:
        self.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus_port)

    def is_settled(self, members: int) -> bool:
        """Whether it knows so many nodes, and finds every slot served."""
        try:
            told = str(self.ask("CLUSTER", "INFO"), "ascii")
        except RedisError:
            return False
        return "cluster_state:ok" in told and f"cluster_known_nodes:{members}\r" in told


class Cluster:
    """Nodes that share the slots evenly; the first one's address is in `url`."""

    def __init__(self, directory: Path, members: int) -> None:
        self.members = [Member(directory) for _ in range(members)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.members[0].port}/0"

    def form(self) -> None:
        bounds = [REDIS_CLUSTER_HASH_SLOTS * n // len(self.members) for n in range(len(self.members) + 1)]
        for number, member in enumerate(self.members):
            member.start()
            member.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            member.ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        for member in self.members[1:]:
            self.members[0].meet(member)
        self.settle()

    def settle(self) -> None:
        """Return when all members agree that the cluster works."""
        until(lambda: all(member.is_settled(len(self.members)) for member in self.members))

    def add(self, directory: Path) -> Member:
        """Add a node that owns no slot yet."""
        member = Member(directory)
        self.members.append(member)
        member.start()
        self.members[0].meet(member)
        self.settle()
        return member

    def replicate(self, primary: Member, directory: Path) -> Member:
        """Add a replica that takes over when its primary fails."""
        replica = self.add(directory)
        replica.ask("CLUSTER", "REPLICATE", primary.node_id)
        until(lambda: replica.client.info("replication").get("master_link_status") == "up")
        return replica

    def owner_of(self, key: bytes) -> Member:
        slot = key_slot(key)
        for member in self.members:
            for first, last, (_, port, *_), *_ in member.ask("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(member for member in self.members if member.port == port)
        raise LookupError(slot)

    def begin_to_move(self, slot: int, target: Member) -> None:
        """Open a slot between its owner and another node, as a resharding does."""
        source = self._owner_of_slot(slot)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.node_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.node_id)

    def move_keys(self, slot: int, target: Member) -> None:
        source = self._owner_of_slot(slot)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def finish_to_move(self, slot: int, target: Member) -> None:
        source = self._owner_of_slot(slot)
        for member in [target, source, *self.members]:
            member.ask("CLUSTER", "SETSLOT", slot, "NODE", target.node_id)

    def _owner_of_slot(self, slot: int) -> Member:
        tag = next(n for n in range(10**6) if key_slot(str(n).encode()) == slot)
        return self.owner_of(str(tag).encode())

    def stop(self) -> None:
        for member in self.members:
            member.client.close()
            if hasattr(member, "process"):
                member.process.stop()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(is_so)
        time.sleep(0.05)


@contextmanager
def cluster_in(directory: Path, members: int = 3) -> Iterator[Cluster]:
    """Give a cluster whose nodes all end with it."""
    cluster = Cluster(directory, members)
    try:
        cluster.form()
        yield cluster
    finally:
        cluster.stop()
