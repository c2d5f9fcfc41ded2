"""The API does what its OpenAPI document says, also for what nobody would send: Schemathesis against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashapp.api.app import create_api
from tests.api.conftest import Served

ROOT = Path(__file__).parents[2]
#: Cases of each operation beyond those that Schemathesis derives from the document, which are about 5 000 in all.
EXAMPLES = 3


@pytest.mark.timeout(240)
def test_answers_conform_whatever_is_asked(served: Served, tmp_path: Path) -> None:
    running, token = served.server, served.token
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{running.url}/api/v1/openapi.json",
            "--url", f"{running.url}/api/v1", "--header", f"Authorization: Bearer {token}", "--phases", "examples,coverage,fuzzing",
            "--checks", "all", "--max-examples", str(EXAMPLES),
            "--generation-allow-x00", "false",  # no text holds NUL: said once in the document, and not at each of its texts
            "--generation-deterministic", "--no-shrink", "--no-color", "--warnings", "off",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.api.conforming", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-12_000:]}\n{done.stderr[-2000:]}\n{running.output[-4000:]}"
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated, done.stdout[-3000:]
    assert int(generated[1]) > 4_000
    operations = sum(len(methods) for methods in create_api(None).openapi()["paths"].values())
    assert f"Tested: {operations}\n" in done.stdout
