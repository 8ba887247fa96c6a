"""The documents' transcripts, run again: what they show is what a real Headway answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import hub, mailbox
from tests.stack import Stack
from tests.terminal import Terminal
from tests.transcripts import blocks_of

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def terminal(stack: Stack) -> Iterator[Terminal]:
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
