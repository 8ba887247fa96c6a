"""The documents' transcripts, run again: what they show is what a real Headway answers."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.push import hub, mailbox
from tests.support.operators_page import (
    alert_rules,
    documented_alerts,
    documented_events,
    documented_metrics,
    exported_metrics,
    logged_events,
)
from tests.support.stack import Stack
from tests.support.terminal import Terminal
from tests.support.transcripts import blocks_of
from workers.demo.engines import free_port

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def terminal(stack: Stack) -> Iterator[Terminal]:
    if shutil.which("curl") is None:
        if "CI" in os.environ:
            pytest.fail("CI must have curl")
        pytest.skip("curl is not found")
    terminal = Terminal(stack)
    yield terminal
    terminal.close()


@pytest.mark.parametrize("name", ["http.md", "events.md"])
def test_a_document_shows_what_is_answered(terminal: Terminal, name: str) -> None:
    blocks = list(blocks_of((DOCS / name).read_text()))
    assert blocks
    for block in blocks:
        terminal.run(block)


def test_the_times_of_streams_are_those_of_the_code() -> None:
    told = (DOCS / "events.md").read_text()
    assert f"| nothing was said | {mailbox.PING_EVERY} s |" in told
    assert f"| the client does not read | {mailbox.BLOCKED_FOR} s |" in told
    assert "| the stream is old | {} to {} s |".format(*hub.LIFETIME) in told
    assert f"| the token ends | {mailbox.WARN_BEFORE} s before |" in told
    assert f"from the table every {hub.POLL_EVERY:.0f} s" in told.replace("\n", " ")


def test_every_metric_of_real_processes_is_documented_and_no_other(stack: Stack) -> None:
    port = str(free_port())
    stack.start_relay(HEADWAY_METRICS_PORT=port)
    api = stack.start_api()
    stack.put("job", "ann", prompt=1)  # An attribute of the wrong type: a metric shows its labels when it has counted.
    assert api.get("/jobs/job", "ann").status_code == 200
    document = (DOCS / "operations.md").read_text()
    stack.redis.stop()
    stack.put("job", "ann", status="completed")
    relays = f"http://127.0.0.1:{port}/metrics"
    counted = ("headway_errors_total{", "headway_attributes_ignored_total{")  # in whichever order
    while not all(name in httpx.get(relays).text for name in counted):
        time.sleep(0.05)
    assert exported_metrics(httpx.get(relays).text) == documented_metrics(document, "relay")
    assert exported_metrics(httpx.get(f"{api.url}/metrics").text) == documented_metrics(document, "api")


def test_the_alerts_are_those_of_the_rules() -> None:
    rules = (DOCS.parent / "deploy" / "prometheus" / "alerts.yaml").read_text()
    assert documented_alerts((DOCS / "operations.md").read_text()) == alert_rules(rules)


def test_every_log_event_is_documented_at_its_level_down_to_warnings() -> None:
    documented = documented_events((DOCS / "observability.md").read_text())
    logged = logged_events([DOCS.parent / name for name in ("api", "streams", "workers")])
    assert documented <= logged
    assert {(event, level) for event, level in logged if level in {"warning", "error"}} <= documented
