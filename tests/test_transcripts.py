"""The notation of transcripts: what it takes for the same, and what it refuses."""

import pytest

from tests.support.transcripts import NotAsWritten, blocks_of, filled_in, is_plain, match

VERSION = "1795518914326-17955189166710000000001"
OTHER = "1795518914326-17955189166710000000002"


def test_a_transcript_is_commands_with_what_is_shown_after_each() -> None:
    document = """Words.

```console
$ curl -s one \\
    two &
a: 1
b: begun
  and   gone on

c

$ kill %1
```

```sh
$ not for us
```
"""
    [[first, second]] = list(blocks_of(document))
    assert (first.line, first.command, first.is_in_background) == (4, "curl -s one \\\n    two &", True)
    assert first.shown == "a: 1\nb: begunand   gone on\n\nc"
    assert (second.command, second.shown, second.is_in_background) == ("kill %1", "", False)


def test_a_transcript_begins_with_a_command() -> None:
    with pytest.raises(NotAsWritten):
        list(blocks_of("```console\nan answer to nothing\n```\n"))


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ("", ""),
        ("", "\n\n"),
        ('{"a.b":[1]}', '{"a.b":[1]}\n'),
        ("id: <version>", f"id: {VERSION}"),
        ("id: <version:1>\nid: <version:1>", f"id: {VERSION}\nid: {VERSION}"),
        ("a\n...\nz", "a\nz"),
        ("a\n...\nz", "a\nb\n\nc\nz"),
        ("a\n...", "a"),
        ("a\n...", "a\nb"),
    ],
)
def test_what_is_shown_is_what_is_answered(shown: str, answered: str) -> None:
    match(shown, answered, {})


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ("", "x"),
        ("x", ""),
        ("a.b", "axb"),
        ("a\nb", "a\n\nb"),
        ("a", "a\nb"),
        ("id: <version>", "id: table-0123456789abcdef"),
        ("id: <version:1>\nid: <version:1>", f"id: {VERSION}\nid: {OTHER}"),
        ("retry: <milliseconds>", "retry: 999"),
        ("retry: <milliseconds>", "retry: 3001"),
        ("a\n...\nz", "a\nb"),
        ("...\nz", "a\nz\nz2"),
    ],
)
def test_anything_else_is_not(shown: str, answered: str) -> None:
    with pytest.raises(NotAsWritten):
        match(shown, answered, {})


def test_a_name_stands_for_the_same_from_then_on() -> None:
    known = match("id: <version:1>", f"id: {VERSION}", {})
    assert filled_in("curl -H 'Last-Event-ID: <version:1>'", known) == f"curl -H 'Last-Event-ID: {VERSION}'"
    assert match("<version:1> <version:2>", f"{VERSION} {OTHER}", known) == {"version_1": VERSION, "version_2": OTHER}
    with pytest.raises(NotAsWritten):
        match("id: <version:1>", f"id: {OTHER}", known)


@pytest.mark.parametrize("command", ["curl <version:1>", "curl <version>", "curl <nothing>"])
def test_a_command_holds_only_what_was_told_before(command: str) -> None:
    with pytest.raises(NotAsWritten):
        filled_in(command, {})


def test_a_word_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(NotAsWritten, match="stands for nothing"):
        match("<whatever>", "x", {})


@pytest.mark.parametrize("command", ["a | b", "a; b", "a && b", "a > b", "a $(b)", "a `b`", "(a)"])
def test_a_command_is_words_alone(command: str) -> None:
    assert not is_plain(command)


@pytest.mark.parametrize("command", ["a 'b?c=1&d=2'", 'a "$B/c"', "A=1 b -c \\\n  d", "a 'two\n  lines'"])
def test_words_may_be_quoted(command: str) -> None:
    assert is_plain(command)
