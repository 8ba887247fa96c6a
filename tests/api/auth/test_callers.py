"""Whose token need not be checked again, and until when."""

from api.auth.callers import KEPT, LEEWAY, Caller, KnownCallers


class Clocks:
    """The time of day, and the seconds since some start; they move as they are told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.seconds = 50.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.seconds += seconds

    def known(self, most: int = 8) -> KnownCallers:
        return KnownCallers(lambda: self.now, lambda: self.seconds, most)


def until(expires: float) -> Caller:
    return Caller("user_7", int(expires))


def test_a_token_that_held_is_known_and_no_other() -> None:
    clocks = Clocks()
    known = clocks.known()
    caller = until(clocks.now + 600)
    known.add("one", caller)
    assert known.of("one") is caller
    assert known.of("another") is None


def test_a_token_is_known_to_its_last_moment_and_no_longer() -> None:
    """As PyJWT has it: a token has ended when its `exp` is reached, and the leeway has passed."""
    clocks = Clocks()
    known = clocks.known()
    known.add("one", until(clocks.now + 5))
    clocks.pass_by(5 + LEEWAY - 0.01)
    assert known.of("one")
    clocks.pass_by(0.01)
    assert known.of("one") is None


def test_a_key_that_was_taken_back_counts_for_a_minute_at_most_however_often_it_is_used() -> None:
    clocks = Clocks()
    known = clocks.known()
    known.add("one", until(clocks.now + 600))
    for _ in range(6):
        clocks.pass_by((KEPT - 0.1) / 6)
        assert known.of("one")
    clocks.pass_by(0.1)
    assert known.of("one") is None


def test_a_clock_that_is_set_back_keeps_nobody_known_for_longer() -> None:
    clocks = Clocks()
    known = clocks.known()
    known.add("one", until(clocks.now + 5))
    clocks.pass_by(KEPT)
    clocks.now -= 3600
    assert known.of("one") is None


def test_only_so_many_are_known_the_newest() -> None:
    clocks = Clocks()
    known = clocks.known(most=2)
    for token in ("one", "two", "two"):
        known.add(token, until(clocks.now + 600))
    assert known.of("one")
    for token in ("one", "three"):
        known.add(token, until(clocks.now + 600))
    assert [token for token in ("one", "two", "three") if known.of(token)] == ["one", "three"]


def test_no_token_can_be_read_where_it_is_known() -> None:
    clocks = Clocks()
    known = clocks.known()
    known.add("a.token.of.mine", until(clocks.now + 600))
    assert "token" not in repr(vars(known))
