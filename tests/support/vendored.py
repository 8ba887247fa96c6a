"""Swagger UI as npm has it, kept in the repository: `make run` needs no npm, and the page no other host.

`python -m tests.support.vendored TARBALL` takes what the page needs from a tarball of swagger-ui-dist.
"""

import sys
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path

from msgspec import Struct, json

FOLDER = Path(__file__).parents[2] / "api/rest/docs_page/swagger_ui"
MANIFEST = FOLDER / "manifest.json"
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE")


class Manifest(Struct, frozen=True):
    """Which package it is, and npm's kind of digest of its tarball and of each file that was taken."""

    package: str
    version: str
    integrity: str
    files: dict[str, str]


class _Package(Struct):
    name: str
    version: str


def integrity(data: bytes) -> str:
    """Return a digest as npm writes it."""
    return f"sha512-{b64encode(sha512(data).digest()).decode()}"


def take(tarball: Path) -> Manifest:
    """Write the files of a tarball into the repository, and what they are beside them."""
    with tarfile.open(tarball) as archive:
        contents = {name: _read(archive, name) for name in (*FILES, "package.json")}
    package = json.decode(contents.pop("package.json"), type=_Package)
    for name, data in contents.items():
        (FOLDER / name).write_bytes(data)
    files = {name: integrity(data) for name, data in contents.items()}
    manifest = Manifest(package.name, package.version, integrity(tarball.read_bytes()), files)
    MANIFEST.write_bytes(json.format(json.encode(manifest)) + b"\n")
    return manifest


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/{name}")
    assert member, name
    return member.read()


if __name__ == "__main__":
    taken = take(Path(sys.argv[1]))
    print(f"{taken.package} {taken.version} {taken.integrity}")
