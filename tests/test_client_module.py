"""The client's own tests run under Node, where there is one; its types say what the API tells."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import fields

from streams.jobs.job import PublicJob

CLIENT = Path(__file__).parent.parent / "client"


def test_client_module_keeps_its_promises() -> None:
    node = shutil.which("node")
    if node is None:
        lacking = "NO NODE HERE: the tests of client/headway.js did not run"
        (pytest.fail if "CI" in os.environ else pytest.skip)(lacking)
    run = subprocess.run([node, "--test"], cwd=CLIENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_its_types_name_the_fields_of_a_job_and_which_may_be_left_out() -> None:
    types = (CLIENT / "headway.d.ts").read_text()
    body = types.partition("export interface Job {")[2].partition("}")[0]
    told = set(re.findall(r"^  (\w+\??):", body, re.MULTILINE))
    assert told == {field.name if field.required else f"{field.name}?" for field in fields(PublicJob)}
