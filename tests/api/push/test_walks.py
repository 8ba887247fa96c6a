"""The model of watching (test_audience.py) on long walks: a hundred steps and more, the likely ones more often.

hypothesis shrinks what it finds in test_audience.py, but seldom gets far enough to find what needs ten steps in a
certain order; a walk does, and is repeated by its number.
"""

import random

import pytest

from tests.api.push.test_audience import Watching
from tests.api.push.world import JOBS

STEPS = 120
WALKS = 600
STATUSES = ("processing", "processing", "completed", "failed")
TABS = ((), (), ("processing",), ("pending", "processing"))
OFTEN = {  # how often, and with what
    "a_read_goes_on": (24, "pick"),
    "deliver": (20, "process pick seldom"),
    "read": (16, "pick"),
    "write": (14, "job status few seldom"),
    "relay": (14, "job"),
    "come_back": (8, "process pick"),
    "connect": (5, "process job"),
    "connect_all": (5, "process tab"),
    "leave": (5, "pick"),
    "redis_comes_and_feeds_mend": (4, ""),
    "poll": (3, "process"),
    "all_is_quick": (2, ""),
    "something_is_missed": (2, "process job status few seldom"),
    "the_relay_is_killed_and_repeats": (2, "back"),
    "an_old_message_comes_again": (2, "process pick"),
    "versions_expire": (2, ""),
    "relays_are_missed": (2, "process"),
    "relays_are_back": (3, "process"),
    "redis_goes": (1, "often"),
    "a_feed_breaks": (1, "process"),
    "the_index_lags": (1, "few"),
    "delete": (1, "job"),
}


def is_possible(name: str, model: Watching) -> bool:
    needed = {
        "leave": model.readers,
        "read": model.readers,
        "come_back": model.away,
        "a_read_goes_on": model.world.gates,
    }
    return bool(needed.get(name, True))


def take_step(name: str, model: Watching, chance: random.Random) -> None:
    drawn = {
        "pick": chance.randrange(21),
        "process": chance.randrange(2),
        "job": chance.choice(JOBS),
        "status": chance.choice(STATUSES),
        "tab": chance.choice(TABS),
        "few": chance.randrange(3),
        "back": chance.randint(1, 3),
        "often": chance.random() < 0.5,
        "seldom": chance.random() < 0.25,
    }
    getattr(model, name)(*[drawn[kind] for kind in OFTEN[name][1].split()])


@pytest.mark.parametrize("number", range(WALKS))
def test_wherever_a_walk_leads_nobody_is_shown_an_older_state_and_all_end_on_the_newest(number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - a repeatable test, no secret
    model = Watching()
    model.create()
    try:
        for name in chance.choices(list(OFTEN), [weight for weight, _ in OFTEN.values()], k=STEPS):
            if is_possible(name, model):
                take_step(name, model, chance)
                model.nothing_is_kept_for_nobody()
    except BaseException:
        model.world.close()
        raise
    model.teardown()
