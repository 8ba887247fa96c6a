from streams.channel.channel import connect_redis
from streams.channel.nodes import Nodes


class Names:
    """What a name stands for."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = set(addresses)

    async def look_up(self, host: str, port: int) -> set[str]:
        assert (host, port) == ("primary.example", 6380)
        if not self.addresses:
            raise OSError("nobody knows")
        return self.addresses


async def test_a_name_that_stands_for_other_addresses_only_has_moved() -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    nodes = Nodes(connect_redis("redis://primary.example:6380/0"), names.look_up)
    moves = []
    for now in (["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.3"], [], ["10.0.0.3"], ["10.0.0.4"], ["10.0.0.4"]):
        names.addresses = set(now)
        moves.append(await nodes.has_moved())
    assert moves == [False, False, False, False, True, False]


async def test_a_socket_in_the_file_system_does_not_move() -> None:
    assert not await Nodes(connect_redis("unix:///run/redis.sock"), Names().look_up).has_moved()
