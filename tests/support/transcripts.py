"""Transcripts in documents: what a terminal showed, in blocks that begin with ```console. Pure.

docs/http.md, "Reading the transcripts", says how they are written; a document's blocks are one session.
"""

import re
import shlex
from collections.abc import Iterator

from msgspec import Struct

# What varies from run to run, by the word that stands for it.
KINDS = {
    "version": r"[0-9]{13}-[0-9]+",
    "position": r"[0-9]{16}",
    "digest": r"[0-9a-f]{16}",
    "etag": r"[0-9a-f]{24}",
    "cursor": r"[A-Za-z0-9._-]{32,}",
    "milliseconds": r"(?:[12][0-9]{3}|3000)",
    "seconds": r"[0-9]{1,4}",
    "date": r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT",
    "request": r"[0-9a-f]{12,32}",
}
VARYING = re.compile(r"<([a-z]+)(?::([a-z0-9]+))?>")
ANY_LINES = "..."


class NotAsWritten(AssertionError):
    """What was answered is not what the document says, or the document says what cannot be understood."""


class Step(Struct, frozen=True):
    """A command and what is shown after it, as the document has both."""

    line: int
    command: str
    shown: str

    @property
    def is_in_background(self) -> bool:
        """Whether the terminal goes on while the command runs."""
        return self.command.endswith(" &")


Block = list[Step]


def blocks_of(document: str) -> Iterator[Block]:
    """Yield the transcripts of a document."""
    lines = enumerate(document.splitlines(), 1)
    for _, line in lines:
        if line == "```console":
            block = []
            for number, inner in lines:
                if inner == "```":
                    break
                block.append((number, inner))
            yield list(_steps(block))


def _steps(lines: list[tuple[int, str]]) -> Iterator[Step]:
    starts = [place for place, (_, text) in enumerate(lines) if text.startswith("$ ")]
    if not starts or starts[0]:
        raise NotAsWritten(f"line {lines[0][0]}: a transcript begins with a command")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        texts = [text for _, text in lines[start:end]]
        command = [texts.pop(0).removeprefix("$ ")]
        while texts and texts[0].startswith(" "):
            command.append(texts.pop(0))
        yield Step(lines[start][0], "\n".join(command), _unwrapped(texts))


def _unwrapped(texts: list[str]) -> str:
    """Put lines that were wrapped in the document, and go on two spaces further in, together again."""
    return "\n".join(texts).replace("\n  ", "").strip("\n")


def match(shown: str, answered: str, known: dict[str, str]) -> dict[str, str]:
    """Return the names, old and new, of what varies; raises NotAsWritten where something else was answered."""
    found = re.fullmatch(_pattern(shown, known), answered.strip("\n") + "\n")
    if found is None:
        raise NotAsWritten(f"the document shows\n{shown}\nbut the answer is\n{answered}")
    return known | found.groupdict()


def _pattern(shown: str, known: dict[str, str]) -> str:
    seen = dict(known)
    return "".join(_line_pattern(line, seen) for line in shown.split("\n"))


def _line_pattern(line: str, seen: dict[str, str]) -> str:
    if line == ANY_LINES:
        return r"(?:.*\n)*?"
    pattern, at = "", 0
    for varying in VARYING.finditer(line):
        pattern += re.escape(line[at : varying.start()])
        pattern += _varying_pattern(varying, seen)
        at = varying.end()
    return pattern + re.escape(line[at:]) + r"\n"


def _varying_pattern(varying: re.Match[str], seen: dict[str, str]) -> str:
    kind, name = varying.groups()
    if kind not in KINDS:
        raise NotAsWritten(f"{varying.group()} stands for nothing; what may vary is {', '.join(KINDS)}")
    if name is None:
        return KINDS[kind]
    group = f"{kind}_{name}"
    if group in seen:
        return re.escape(seen[group]) if seen[group] else f"(?P={group})"
    seen[group] = ""
    return f"(?P<{group}>{KINDS[kind]})"


def filled_in(command: str, known: dict[str, str]) -> str:
    """Return a command with what earlier answers told in place of its names."""

    def value(varying: re.Match[str]) -> str:
        kind, name = varying.groups()
        if f"{kind}_{name}" not in known:
            raise NotAsWritten(f"{command!r}: nothing before it told {varying.group()}")
        return known[f"{kind}_{name}"]

    return VARYING.sub(value, command)


def is_plain(command: str) -> bool:
    """Whether a command is words alone: no pipe, list, redirection or substitution."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return "`" not in command and not any(set(token) <= set("();<>|&") for token in lexer if token)
