"""A terminal that runs the transcripts of a document against a real Headway, and compares what it shows.

It knows a few commands and refuses all others: curl as it is; `python -m api &` and `python -m workers relay &` as
Headway's own processes; `aws dynamodb` and `redis-cli` by their Python clients, which the tests have; `kill %n`.
"""

import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import httpx
import jwt
from msgspec import json
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from tests.support.stack import SECRET, Stack
from tests.support.transcripts import Block, NotAsWritten, Step, filled_in, is_plain, match
from workers.demo.engines import Process, free_port

PING = [": ping", ""]
PATIENCE = 40.0  # seconds that an answer may take
WRITES = ("put-item", "update-item", "delete-item")


class Job(Protocol):
    """What runs in the background."""

    def stop(self) -> None:
        """End it."""


class Following:
    """A curl in the background, whose answer comes line by line."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    def read(self, shown: str) -> str:
        """Return as many lines as are shown; pings come when they come, and count only where they are shown."""
        wanted = len(shown.split("\n"))
        answered = [line for line, _ in zip(self._news(skips_pings=PING[0] not in shown), range(wanted), strict=False)]
        return "\n".join(answered)

    def _news(self, *, skips_pings: bool) -> Iterator[str]:
        is_first = True
        while (line := self._line()) is not None:
            if skips_pings and line == PING[0]:
                self._line()
            elif line or not is_first:
                is_first = False
                yield line

    def _line(self) -> str | None:
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise NotAsWritten(f"nothing more was answered for {PATIENCE:.0f} s") from None

    def rest(self) -> str:
        """Return what is left when it has ended."""
        return "\n".join(self._news(skips_pings=True))

    def stop(self) -> None:
        """Leave, as Ctrl-C would."""
        self._process.terminate()
        self._process.wait(10)
        self._listening.join()


class Terminal:
    """One session; `$HEADWAY`, `$TABLE`, `$REDIS`, `$TOKEN` and `$BRIEF_TOKEN` are set in it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._port, self._relay_port = free_port(), free_port()
        self._jobs: dict[int, Job] = {}
        self._names: dict[str, str] = {}
        self._written = 0  # changes that the relay has to publish

    def run(self, block: Block) -> None:
        """Run a transcript; raises NotAsWritten, with the line, where the answer is another."""
        for step in block:
            try:
                self._run(step)
            except NotAsWritten as error:
                raise NotAsWritten(f"line {step.line}: $ {step.command}\n{error}") from None
        for number in [number for number, job in self._jobs.items() if isinstance(job, Following)]:
            self._end(number)

    def close(self) -> None:
        """Leave no curl behind."""
        for job in self._jobs.values():
            job.stop()

    def _run(self, step: Step) -> None:
        command = filled_in(step.command.removesuffix(" &"), self._names)
        words = self._words(command)
        if step.is_in_background:
            self._jobs[max(self._jobs, default=0) + 1] = self._start(words)
            answered = ""
        else:
            answered = self._answer(words)
        if following := self._following():
            behind = len(answered.split("\n")) if answered else 0
            own, rest = _cut(step.shown, behind)
            self._match(own, answered)
            self._match(rest, following.read(rest) if rest else "")
        else:
            self._match(step.shown, answered)

    def _match(self, shown: str, answered: str) -> None:
        self._names = match(shown, answered, self._names)

    def _words(self, command: str) -> list[str]:
        """Return the words as a shell makes them."""
        if not is_plain(command):
            raise NotAsWritten("a command of a transcript is words alone")
        shell = ["sh", "-uc", f"printf '%s\\0' {command}"]
        done = subprocess.run(shell, capture_output=True, text=True, env=self._variables, check=False)
        if done.returncode:
            raise NotAsWritten(done.stderr)
        return done.stdout.split("\0")[:-1]

    @property
    def _variables(self) -> dict[str, str]:
        now = int(time.time())
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HEADWAY": f"http://127.0.0.1:{self._port}",
            "TABLE": self._stack.table,
            "REDIS": self._stack.environment["HEADWAY_REDIS_URL"],
            "TOKEN": jwt.encode({"sub": "ann", "exp": now + 3600}, SECRET),
            "BRIEF_TOKEN": jwt.encode({"sub": "ann", "exp": now + 8}, SECRET),
        }

    def _following(self) -> Following | None:
        return next((job for job in self._jobs.values() if isinstance(job, Following)), None)

    def _start(self, words: list[str]) -> Job:
        settings = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        match words:
            case ["curl", *_]:
                return Following(words, self._variables)
            case ["python", "-m", "api"]:
                return self._stack.start_api(self._port, **settings).process
            case ["python", "-m", "workers", "relay"]:
                return self._stack.start_relay(HEADWAY_METRICS_PORT=str(self._relay_port), **settings)
        raise NotAsWritten("this is not a command that is run in the background here")

    def _answer(self, words: list[str]) -> str:
        match words:
            case ["curl", *_]:
                return _curl(words, self._variables)
            case ["aws", "dynamodb", operation, *options] if operation in WRITES:
                return self._write(operation, options)
            case ["redis-cli", "-u", url, *command]:
                return _redis(url, command)
            case ["kill", number]:
                return self._kill(int(number.removeprefix("%")))
        raise NotAsWritten("this is not a command that is run here")

    def _write(self, operation: str, options: list[str]) -> str:
        parameters: dict[str, Any] = {}
        for name, value in zip(options[::2], options[1::2], strict=True):
            parameter = name.removeprefix("--").title().replace("-", "")
            parameters[parameter] = json.decode(value) if value.startswith("{") else value
        getattr(self._stack.client, operation.replace("-", "_"))(**parameters)
        self._written += 1
        if any(isinstance(job, Process) and job.name == "relay" for job in self._jobs.values()):
            self._until_relayed()
        return ""

    def _until_relayed(self) -> None:
        """Nobody types so fast that the relay is overtaken."""
        deadline = time.monotonic() + PATIENCE
        while (published := _published(self._relay_port)) < self._written:
            if time.monotonic() > deadline:
                raise NotAsWritten(f"{self._written} writes, but {published} changes published")
            time.sleep(0.02)

    def _kill(self, number: int) -> str:
        job = self._jobs.pop(number)
        job.stop()
        if isinstance(job, Following):
            self._match("", job.rest())
        if isinstance(job, Process) and job.code:
            raise NotAsWritten(f"{job.name} ended with {job.code}: {job.tail()}")
        return ""

    def _end(self, number: int) -> None:
        """What still runs behind a transcript has to end by itself, and to say no more."""
        job = self._jobs.pop(number)
        assert isinstance(job, Following)
        try:
            self._match("", job.rest())
        finally:
            job.stop()


def _cut(shown: str, lines: int) -> tuple[str, str]:
    split = shown.split("\n")
    return "\n".join(split[:lines]), "\n".join(split[lines:]).strip("\n")


def _curl(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    if done.returncode:
        raise NotAsWritten(f"curl ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout.replace("\r\n", "\n").strip("\n")


def _redis(url: str, command: list[str]) -> str:
    with Redis.from_url(url) as client:
        answer = client.execute_command(*command)
    if not isinstance(answer, int):
        raise NotAsWritten(f"how redis-cli shows {answer!r} is not known here")
    return f"(integer) {answer}"


def _published(port: int) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return sum(sample.value for sample in families["headway_changes"].samples if sample.name.endswith("_total"))
