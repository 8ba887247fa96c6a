"""When traces are on, and that nothing of them is there when they are not."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streams.jobs.state import State, Version
from streams.telemetry.trace_ids import span_id_of, trace_id_of
from streams.telemetry.tracing import traces_from

HERE = "http://127.0.0.1:9"
ROOT = Path(__file__).parents[3]

OFF = """
import sys
import api.__main__, workers.__main__
from streams.telemetry.tracing import traces_from
assert traces_from({}, "headway") is None
# redis-py imports a part of it by itself, where it is installed, for metrics that stay off.
parts = ("streams.telemetry.spans", "opentelemetry.sdk.trace", "opentelemetry.exporter")
print([name for name in sys.modules if name.startswith(parts)])
"""
NOT_INSTALLED = """
import sys
sys.modules["opentelemetry"] = None
from streams.telemetry.tracing import traces_from
print(traces_from({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "headway"))
"""


def output_of(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def state(job_id: str, sequence: int) -> State:
    return State(job_id, "update", "processing", 0, b"{}", Version(1, sequence))


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_SERVICE_NAME": "mine"},
    ],
)
def test_traces_are_off_unless_they_are_asked_for(environment: dict[str, str]) -> None:
    with capture_logs() as lines:
        assert traces_from(environment, "headway") is None
    assert lines == []


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(environment: dict[str, str]) -> None:
    with capture_logs() as lines:
        assert traces_from(environment, "headway") is None
    (line,) = lines
    assert line["event"] == "tracing is off"
    assert set(environment) & set(line["reason"].split())


def test_without_the_extra_one_line_says_how_to_have_it() -> None:
    told = output_of(NOT_INSTALLED)
    assert told.count("\n") == 2  # the line, and None
    assert "pip install 'headway[otel]'" in told
    assert told.endswith("None\n")


def test_nothing_that_traces_need_is_imported_while_they_are_off() -> None:
    assert output_of(OFF) == "[]\n"


def test_ids_follow_from_job_and_version_alone() -> None:
    assert trace_id_of(state("a", 1)) == trace_id_of(State("a", "done", "completed", 9, b"other", Version(1, 1), 7))
    ids = [trace_id_of(state(job_id, sequence)) for job_id in "ab" for sequence in (1, 2)]
    ids += [span_id_of(name, state("a", 1)) for name in ("relay record", "publish")]
    assert len(set(ids)) == len(ids)
    assert 0 not in ids
