"""The client's own tests run under Node, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parent.parent / "client"


def test_client_module_keeps_its_promises() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE HERE: the tests of client/headway.js did not run")
    run = subprocess.run([node, "--test"], cwd=CLIENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
