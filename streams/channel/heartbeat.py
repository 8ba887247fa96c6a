"""What a relay says of itself once a second, and what an api process makes of it. Pure.

A heartbeat travels through Redis like every change, so it proves the whole way from the table to the reader.
"""

from msgspec import Struct, json

CHANNEL = b"hw:relays:{feed}"  # no user's: theirs begin with hw:{
HEARTBEATS = (
    "hw:relays:{feed}"  # a hash, each relay's last heartbeat behind the second of Redis' clock at which it came
)
WATCHED = "hw:watched:{feed}"  # is there while anybody watches

BEAT_EVERY = 1.0  # seconds
SILENT_AFTER = 4.0  # seconds without a heartbeat; four were lost, or nobody is there
BEHIND_AFTER = 5.0  # seconds that a relay may be behind
LASTS = 2.5  # seconds that it stays so: who takes a shard over reads what is old, and catches up
CAUGHT_UP_BELOW = 3.0  # seconds behind at which a feed that was behind counts as whole again
KEEP = 60  # seconds; a relay that is silent for so long is forgotten
FORMAT = 1  # counts up when an older reader would misread a heartbeat

NO_REDIS = "redis_unreachable"
NO_RELAY = "no_relay"  # none has told that it is alive
STARTING = "relays_starting"  # those there are do not know yet of every shard whether somebody relays it
BEHIND = "relay_behind"
UNCLAIMED = "shards_unclaimed"  # a part of the stream has no relay


class Heartbeat(Struct, frozen=True, kw_only=True):
    """One relay at one moment.

    `behind` are the seconds for which a change may have been written and not published, `unclaimed` the open shards
    that nobody relays (and since when is in `behind`). `sees_all` says that the relay knows of every open shard that
    somebody relays it, or that nobody does; one that has just started does not. A relay that leaves on purpose says so.
    """

    relay: str
    table: str
    behind: float = 0.0
    unclaimed: int = 0
    sees_all: bool = True
    is_leaving: bool = False
    format: int = FORMAT


class Health(Struct, frozen=True):
    """Whether all changes reach Redis; `reason` says why not, `behind` for how many seconds what is shown may be old."""

    reason: str | None = None
    behind: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return self.reason is None


_decode = json.Decoder(Heartbeat).decode


def encoded(heartbeat: Heartbeat) -> bytes:
    """Return the message of a heartbeat."""
    return json.encode(heartbeat)


def heartbeat_from(message: bytes) -> Heartbeat:
    """Read a message; raises ValueError where it is no heartbeat that this version understands."""
    heartbeat = _decode(message)
    if heartbeat.format != FORMAT:
        raise ValueError(f"heartbeat of format {heartbeat.format}; this version reads {FORMAT}")
    return heartbeat


class Relays:
    """The relays of one table as an api process hears them; times are of one monotonic clock, in seconds."""

    def __init__(self, table: str, now: float) -> None:
        self._table = table
        self._heard: dict[str, tuple[Heartbeat, float]] = {}
        self._whole_at = now  # when all of the stream was last known to be relayed
        self._seen_all_at = now - SILENT_AFTER
        self._was_behind = False
        self._late_since: float | None = None

    def note(self, heartbeat: Heartbeat, at: float) -> None:
        """Take a heartbeat; one about another table counts for nothing."""
        if heartbeat.table != self._table:
            return
        if heartbeat.sees_all:
            self._seen_all_at = max(self._seen_all_at, at)
        if heartbeat.is_leaving:
            self._heard.pop(heartbeat.relay, None)
        else:
            self._heard[heartbeat.relay] = (heartbeat, at)

    def health(self, now: float) -> Health:
        """Say whether the stream is relayed as far as is known."""
        self._heard = {relay: (beat, at) for relay, (beat, at) in self._heard.items() if now - at < SILENT_AFTER}
        health = self._judge(now, [beat for beat, _ in self._heard.values()])
        self._was_behind = health.reason is not None
        if health.is_whole:
            self._whole_at = now
        return health

    def silent_at(self, now: float) -> float:
        """Return the seconds until silence alone would break the feed; 0 where it has."""
        return max(0.0, self._seen_all_at + SILENT_AFTER - now)

    def _judge(self, now: float, alive: list[Heartbeat]) -> Health:
        behind = max((beat.behind for beat in alive), default=0.0)
        if not self.silent_at(now):
            return Health(STARTING if alive else NO_RELAY, max(behind, now - self._whole_at))
        if behind < (CAUGHT_UP_BELOW if self._was_behind else BEHIND_AFTER):
            self._late_since = None
            return Health(None, behind)
        self._late_since = now if self._late_since is None else self._late_since
        if not self._was_behind and now - self._late_since < LASTS:
            return Health(None, behind)
        return Health(UNCLAIMED if any(beat.unclaimed for beat in alive) else BEHIND, behind)
