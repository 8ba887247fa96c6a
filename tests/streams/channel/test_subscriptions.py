"""Subscriptions against a server that is slow in both directions, and that gives channels away."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.channel.subscriptions import Subscriptions
from streams.errors import ChannelUnavailable

CHANNELS = st.sampled_from([b"a", b"b", b"c"])


class SlowServer(RuleBasedStateMachine):
    """Commands and answers wait on the way until the server, or the client, gets to them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[bytes] = set()  # what the listener wants, wherever it may be
        self.away: set[bytes] = set()  # what belongs to another node
        self.connect()

    def connect(self) -> None:
        self.client = Subscriptions(linger=0)
        self.subscribed: set[bytes] = set()
        self.commands: deque[tuple[str, bytes]] = deque()
        self.answers: deque[tuple[str, bytes]] = deque()
        for channel in self.asked:
            self.client.join(channel)

    @rule(channel=CHANNELS)
    def join(self, channel: bytes) -> None:
        self.asked.add(channel)
        self.client.join(channel)

    @rule(channel=CHANNELS)
    def leave(self, channel: bytes) -> None:
        self.asked.discard(channel)
        self.client.leave(channel, 0)

    @rule()
    def send(self) -> None:
        joining, leaving = self.client.changes(0)
        self.commands += [("join", channel) for channel in joining]
        self.commands += [("leave", channel) for channel in leaving]

    @precondition(lambda self: self.commands)
    @rule()
    def serve(self) -> None:
        command, channel = self.commands.popleft()
        if channel in self.away:
            self.answers.append(("moved", channel))
        elif command == "join":
            self.subscribed.add(channel)
            self.answers.append(("joined", channel))
        else:
            self.subscribed.discard(channel)
            self.answers.append(("left", channel))

    @rule(channel=CHANNELS)
    def give_away(self, channel: bytes) -> None:
        self.away.add(channel)
        if channel in self.subscribed:
            self.subscribed.discard(channel)
            self.answers.append(("left", channel))

    @rule(channel=CHANNELS)
    def take_back(self, channel: bytes) -> None:
        self.away.discard(channel)

    @precondition(lambda self: self.answers)
    @rule()
    def answer(self) -> None:
        answer, channel = self.answers.popleft()
        try:
            self.take(answer, channel)
        except (
            ChannelUnavailable
        ):  # The slot moved while a command was on its way; nobody can tell any more which is which.
            self.connect()

    def take(self, answer: str, channel: bytes) -> None:
        lost: bytes | None = None
        if answer == "joined":
            self.client.confirmed(channel)
        elif answer == "left":
            lost = channel if self.client.left(channel) else None
        else:
            lost = self.client.refused()
        if lost is not None and self.client.lost(lost):
            self.client.join(lost)  # as the listener does, where it finds the same node again

    @invariant()
    def what_is_heard_is_subscribed_or_the_news_of_its_end_is_on_the_way(self) -> None:
        for channel in self.asked:
            if self.client.hears(channel):
                assert channel in self.subscribed or ("left", channel) in self.answers
                assert ("leave", channel) not in self.commands

    def teardown(self) -> None:
        """In the end exactly what is wanted is subscribed, and known to be."""
        self.away.clear()
        for _ in range(200):
            self.send()
            if self.commands:
                self.serve()
            if self.answers:
                self.answer()
        assert self.subscribed == self.asked
        assert all(self.client.hears(channel) for channel in self.asked)
        assert self.client.are_settled


TestSlowServer = SlowServer.TestCase
TestSlowServer.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
