"""DynamoDB Local, fetched by Maven and started by Java, where both are found."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from workers.demo.engines import Process

ROOT = Path(__file__).parents[2]
NEEDED = 17


class Release(Struct, frozen=True):
    """One release: the file that tells Maven of it, where its jars are kept, and the class to start."""

    pom: Path
    jars: Path
    main: str


CURRENT = Release(
    ROOT / "tests" / "support" / "pom.xml",
    ROOT / ".cache" / "dynamodb-local",
    "software.amazon.dynamodb.services.local.main.ServerRunner",
)
ROLLING = Release(
    ROOT / "tests" / "support" / "pom-rolling.xml",
    ROOT / ".cache" / "dynamodb-local-rolling",
    "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
)


def missing() -> str | None:
    """Say what this machine lacks for it."""
    if not shutil.which("mvn"):
        return "Maven is not found"
    if not shutil.which("java"):
        return "Java is not found"
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', told)
    return None if version and int(version[1]) >= NEEDED else f"Java {NEEDED} is needed, found: {told.splitlines()[0]}"


def fetch(release: Release) -> None:
    """Have Maven bring the jars, once."""
    if (release.jars / "done").exists():
        return
    command = ["mvn", "-q", "-B", "-f", str(release.pom), "dependency:copy-dependencies"]
    subprocess.run([*command, f"-DoutputDirectory={release.jars}", "-DincludeScope=runtime"], check=True)
    (release.jars / "done").touch()


def start(
    port: int, directory: Path, release: Release = CURRENT, environment: Mapping[str, str] | None = None
) -> Process:
    """Start it in memory. It has no option to listen on loopback only."""
    fetch(release)
    command = ["java", f"-Djava.library.path={release.jars}", "-cp", f"{release.jars}{os.sep}*", release.main]
    command += ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    process = Process("dynamodb-local", command, directory / "dynamodb-local.log", environment)
    process.until_listening(port)
    return process
