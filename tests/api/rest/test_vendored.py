"""The files of Swagger UI in the repository are those of npm's package, to the byte."""

import re

from msgspec import json

from tests.support.vendored import FILES, FOLDER, MANIFEST, Manifest, integrity


def test_each_file_is_the_one_that_was_taken_and_no_other_lies_beside_it() -> None:
    manifest = json.decode(MANIFEST.read_bytes(), type=Manifest)
    found = {path.name: integrity(path.read_bytes()) for path in FOLDER.iterdir() if path != MANIFEST}
    assert found == manifest.files
    assert set(found) == set(FILES)


def test_the_package_is_named_so_that_npm_can_be_asked_for_it() -> None:
    manifest = json.decode(MANIFEST.read_bytes(), type=Manifest)
    assert manifest.package == "swagger-ui-dist"
    assert re.fullmatch(r"5\.\d+\.\d+", manifest.version)
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", manifest.integrity)
