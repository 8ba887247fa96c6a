import pytest

from api.errors import ParameterRefused
from api.rest.cursor import Cursors
from api.rest.cursor_key import CursorKey
from streams.errors import ChannelUnavailable
from streams.jobs.selection import Order, Place, Selection
from streams.settings import Settings

LIST, ORDER, PLACE = Selection("ann"), Order(), Place(1700000000, "job")


class Redis:
    """Holds a key, or is away."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0

    async def shared_key(self) -> bytes:
        self.asked += 1
        if self.is_away:
            raise ChannelUnavailable("away")
        return b"made once"


def written(cursors: Cursors) -> str:
    return cursors.write(LIST, ORDER, 2, PLACE)


async def test_the_key_is_that_of_the_settings_and_redis_is_not_asked() -> None:
    redis = Redis()
    one = await CursorKey(Settings(cursor_secret="one"), redis.shared_key).cursors()
    both = await CursorKey(Settings(cursor_secret="one", auth_secret="two"), redis.shared_key).cursors()
    assert both.read(written(one), LIST, ORDER) == (2, PLACE)
    for others in (Settings(cursor_secret="two"), Settings(auth_secret="two")):
        with pytest.raises(ParameterRefused):
            (await CursorKey(others, redis.shared_key).cursors()).read(written(one), LIST, ORDER)
    assert redis.asked == 0


async def test_without_a_secret_all_processes_share_the_key_in_redis() -> None:
    redis = Redis()
    first, second = (CursorKey(Settings(table=table), redis.shared_key) for table in ("jobs", "other"))
    cursor = written(await first.cursors())
    assert (await second.cursors()).read(cursor, LIST, ORDER) == (2, PLACE)
    for _ in range(5):
        await first.cursors()
    assert redis.asked == 2  # each process once


async def test_while_redis_is_away_a_process_reads_its_own_cursors_and_nobody_elses() -> None:
    redis = Redis()
    redis.is_away = True
    first, second = CursorKey(Settings(), redis.shared_key), CursorKey(Settings(), redis.shared_key)
    cursor = written(await first.cursors())
    assert (await first.cursors()).read(cursor, LIST, ORDER) == (2, PLACE)
    with pytest.raises(ParameterRefused):
        (await second.cursors()).read(cursor, LIST, ORDER)
    assert redis.asked == 2  # and not again at once


async def test_nobody_can_guess_the_key_of_a_process_without_redis() -> None:
    redis = Redis()
    redis.is_away = True
    cursors = await CursorKey(Settings(), redis.shared_key).cursors()
    for guess in (b"", b"table jobs", b"jobs"):
        with pytest.raises(ParameterRefused):
            cursors.read(written(Cursors(guess)), LIST, ORDER)
