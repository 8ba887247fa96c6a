"""DynamoDB Local, fetched by Maven and started by Java, where both are found."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from workers.engines import Process

ROOT = Path(__file__).parent.parent
JARS = ROOT / ".cache" / "dynamodb-local"
MAIN = "software.amazon.dynamodb.services.local.main.ServerRunner"
NEEDED = 17


def missing() -> str | None:
    """Say what this machine lacks for it."""
    if not shutil.which("mvn"):
        return "Maven is not found"
    if not shutil.which("java"):
        return "Java is not found"
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', told)
    return None if version and int(version[1]) >= NEEDED else f"Java {NEEDED} is needed, found: {told.splitlines()[0]}"


def fetch() -> None:
    """Have Maven bring the jars, once."""
    if (JARS / "done").exists():
        return
    command = ["mvn", "-q", "-B", "-f", str(ROOT / "tests" / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*command, f"-DoutputDirectory={JARS}", "-DincludeScope=runtime"], check=True)
    (JARS / "done").touch()


def start(port: int, directory: Path) -> Process:
    """Start it in memory. It has no option to listen on loopback only."""
    fetch()
    command = ["java", f"-Djava.library.path={JARS}", "-cp", f"{JARS}{os.sep}*", MAIN]
    command += ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    process = Process("dynamodb-local", command, directory / "dynamodb-local.log")
    process.until_listening(port)
    return process
