"""Whether this process writes traces, by OpenTelemetry's own variables.

OpenTelemetry is imported only where it is switched on (streams/telemetry/spans.py).
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces

log = structlog.get_logger()

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"


def traces_from(environment: Mapping[str, str], service: str) -> "Traces | None":
    """Return where spans go, as OpenTelemetry's own variables say; None, with a line where that may surprise, if nowhere."""
    if not _are_asked_for(environment):
        return None
    if obstacle := _obstacle(environment):
        log.warning("tracing is off", reason=obstacle)
        return None
    from streams.telemetry.spans import Traces  # noqa: PLC0415 - nothing imports OpenTelemetry where tracing is off

    traces = Traces(None if _is_named(environment) else service)
    log.info("tracing is on", sampler=traces.sampler.get_description())
    return traces


def _are_asked_for(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" if exporter else any(environment.get(name) for name in ENDPOINTS)


def _obstacle(environment: Mapping[str, str]) -> str | None:
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter != "otlp":
        return f"OTEL_TRACES_EXPORTER is {exporter!r}: it is otlp or none"
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), SPOKEN)
    if protocol != SPOKEN:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: only {SPOKEN} is spoken"
    if not (find_spec("opentelemetry") and find_spec("opentelemetry.exporter")):
        return "OpenTelemetry is asked for, but not installed: pip install 'headway[otel]'"
    return None


def _is_named(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
