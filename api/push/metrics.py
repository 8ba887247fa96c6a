"""What the hub counts: plain numbers on the hot path, which Prometheus collects when it asks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from api.push.cause import Cause
from api.push.mailbox import Mailbox
from streams.channel.heartbeat import Health

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
MICRO = 1_000_000


class Counts:
    """The numbers of one process."""

    __slots__ = ("_delays", "_delays_sum", "closed", "conflated", "events", "frames", "resyncs", "stale_seconds")

    def __init__(self) -> None:
        self.events = 0  # messages from Redis whose readers, if any, were told
        self.frames = 0  # writes to clients who are gone; each mailbox counts its own
        self.conflated = 0  # states that a newer one replaced before they were sent, of those clients
        self.resyncs = 0
        self.closed = Counter(dict.fromkeys(Cause, 0))
        self.stale_seconds = 0
        self._delays = [0] * (len(BUCKETS) + 1)
        self._delays_sum = 0.0

    def took(self, published: Sequence[int], now: int) -> None:
        """Note the times from publishing, at these positions, to sending: now, in microseconds as they are."""
        self.events += len(published)
        longest, shortest = (now - min(published)) / MICRO, (now - max(published)) / MICRO
        bucket = bisect_left(BUCKETS, shortest)
        if shortest >= 0 and bucket == bisect_left(BUCKETS, longest):  # as nearly always
            self._delays[bucket] += len(published)
            self._delays_sum += (now * len(published) - sum(published)) / MICRO
        else:
            for position in published:
                self._took_one((now - position) / MICRO)

    def _took_one(self, seconds: float) -> None:
        self._delays[bisect_left(BUCKETS, seconds)] += 1
        self._delays_sum += max(0.0, seconds)  # Redis' clock may be ahead.

    def delays(self) -> HistogramMetricFamily:
        """Return the histogram of the times noted."""
        total, buckets = 0, []
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], self._delays, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramMetricFamily(
            "headway_publish_to_frame_seconds", "From Redis' publishing to the frame", buckets, self._delays_sum
        )


class HubCollector(Collector):
    """Shows Prometheus the hub's numbers."""

    def __init__(
        self, counts: Counts, streams: Callable[[], Collection[Mailbox]], health: Callable[[], Health]
    ) -> None:
        self._counts = counts
        self._streams = streams
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """Give every number as it is now."""
        counts, streams = self._counts, self._streams()
        frames = counts.frames + sum(mailbox.sent for mailbox in streams)
        conflated = counts.conflated + sum(mailbox.conflated for mailbox in streams)
        timeouts = counts.closed[Cause.SEND_TIMEOUT]
        yield GaugeMetricFamily("headway_streams", "Open SSE streams", len(streams))
        yield self._closed()
        health = self._health()
        yield GaugeMetricFamily("headway_feed_whole", "1 while all that is written is heard", int(health.is_whole))
        yield GaugeMetricFamily("headway_feed_behind_seconds", "For how long what is shown may be old", health.behind)
        yield CounterMetricFamily("headway_events_heard", "Messages from Redis", counts.events)
        yield CounterMetricFamily("headway_frames_sent", "Writes to clients", frames)
        yield CounterMetricFamily("headway_states_conflated", "States replaced before they were sent", conflated)
        yield CounterMetricFamily("headway_resyncs", "Times that all watched jobs were read again", counts.resyncs)
        yield CounterMetricFamily("headway_send_timeouts", "Streams cut, the client did not read", timeouts)
        yield CounterMetricFamily("headway_stale_seconds", "Seconds with a broken feed", counts.stale_seconds)
        yield counts.delays()

    def _closed(self) -> Metric:
        family = CounterMetricFamily("headway_streams_closed", "Streams that ended, by cause", labels=["cause"])
        for cause, number in self._counts.closed.items():
            family.add_metric([cause], number)
        return family


def show(collector: HubCollector) -> None:
    """Add to what /metrics shows."""
    REGISTRY.register(collector)
