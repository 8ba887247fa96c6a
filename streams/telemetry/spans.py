"""Spans of OpenTelemetry, written down when what they tell is over; needs the extra `otel`.

A trace is one state on its way: `relay record` from the record's creation to its publishing, in it `publish`, and
in that, from another process, one `push` for each process that tells watchers.
"""

import time
from collections.abc import Mapping
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from streams.jobs.state import State
from streams.telemetry.trace_ids import Times, span_id_of, trace_id_of

CLOSE_WITHIN = 0.5  # seconds that the last spans have to reach the collector
RECORD, PUBLISH, PUSH = "relay record", "publish", "push"
REPEATS = ("repeated", "older")
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

Attributes = Mapping[str, AttributeValue]


class Ids(RandomIdGenerator):
    """Gives the next span the ids that were decided for it, any others random ones."""

    def __init__(self) -> None:
        self._trace: int | None = None
        self._span: int | None = None

    def decide(self, span: int, trace: int | None = None) -> None:
        """Decide the ids of the span that is started next; of its trace too, where it begins one."""
        self._trace, self._span = trace, span

    def generate_trace_id(self) -> int:
        """Return the id of a trace."""
        decided, self._trace = self._trace, None
        return decided or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the id of a span."""
        decided, self._span = self._span, None
        return decided or super().generate_span_id()


class Traces:
    """The traces of one process, sent to a collector by a thread of OpenTelemetry's own; for one event loop."""

    def __init__(self, service: str | None) -> None:
        resource = Resource.create({"service.name": service} if service else {})
        self._ids = Ids()
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("headway")

    @property
    def sampler(self) -> Sampler:
        """What decides by the id of a trace, as OTEL_TRACES_SAMPLER says; the same in all processes."""
        return self._provider.sampler

    def samples(self, state: State) -> bool:
        """Say whether the trace of this state is kept."""
        return self.sampler.should_sample(Context(), trace_id_of(state), RECORD).decision is Decision.RECORD_AND_SAMPLE

    def relayed(self, state: State, times: Times, outcome: str, shard: str) -> None:
        """Write down what became of a state that the relay handed to Redis.

        What a repetition did stands below the span that it repeats, whose ids are given once.
        """
        attributes = {**_attributes(state), "headway.shard": shard, "headway.outcome": outcome}
        parent = Context()
        if outcome in REPEATS:
            parent = _below(RECORD, state)
        else:
            self._ids.decide(span_id_of(RECORD, state), trace_id_of(state))
        begun = min(times.created, times.read)  # the stream tells whole seconds, by a clock of its own
        record = self._tracer.start_span(RECORD, parent, SpanKind.CONSUMER, attributes, start_time=begun)
        record.add_event("read", timestamp=times.read)
        if outcome not in REPEATS:
            self._ids.decide(span_id_of(PUBLISH, state))
        inside = set_span_in_context(record, Context())
        publish = self._tracer.start_span(PUBLISH, inside, SpanKind.PRODUCER, start_time=times.publishing)
        if outcome == "refused":
            record.set_status(StatusCode.ERROR, "Redis refused the change")
        publish.end(times.published)
        record.end(times.published)

    def pushed(self, state: State, readers: int, frames: int) -> None:
        """Write down that this process has just told a state: how many read it, and the frames written at once.

        A reader that is not ready is written to later, and not waited for.
        """
        now = time.time_ns()
        attributes = {**_attributes(state), "headway.readers": readers, "headway.frames": frames}
        begun = min(state.position * 1000, now)  # Redis' clock
        parent = _below(PUBLISH, state)
        self._tracer.start_span(PUSH, parent, SpanKind.CONSUMER, attributes, start_time=begun).end(now)

    def close(self) -> None:
        """Send what is left, as far as the collector takes it at once."""
        closing = Thread(target=self._provider.shutdown, name="closing traces", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN)


def _attributes(state: State) -> Attributes:
    return {"headway.job_id": state.job_id, "headway.version": str(state.version), "headway.status": state.status}


def _below(name: str, state: State) -> Context:
    """Return the context in which a span stands below one of the relay's that this process may not have seen."""
    parent = SpanContext(trace_id_of(state), span_id_of(name, state), is_remote=True, trace_flags=SAMPLED)
    return set_span_in_context(NonRecordingSpan(parent), Context())
