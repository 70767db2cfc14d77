"""The OpenAPI document holds: a fuzzer finds no answer that it does not describe, and no 5xx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from serving import Service, png

KEY = "open-sesame"
# What a schema cannot say: that bytes are a picture, a path lies in a folder, a reference leads somewhere.
CONFIG = f"""
[auth.openapi.key]
bearer = "{KEY}"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "403", "404", "409", "413", "415", "422", "429"]
"""


@pytest.mark.parametrize("keyed", [False, True])
def test_all_checks_of_schemathesis(tmp_path: Path, keyed: bool) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(png(1))
    (tmp_path / "schemathesis.toml").write_text(CONFIG if keyed else CONFIG[CONFIG.index("[checks") :])
    program = Path(sys.executable).parent / "st"
    env = {"CUTLINE_SERVICE_KEY": KEY} if keyed else {}
    options = ["--max-examples", "5" if keyed else "15", "--generation-deterministic", "--checks", "all"]
    with Service("--model", "fake", "--image-root", pictures, cwd=tmp_path, env=env) as service:
        # A file, as the document needs the key too.
        found = service.client.get("/openapi.json", headers={"X-API-Key": KEY})
        document = tmp_path / "openapi.json"
        document.write_bytes(found.content)
        ran = subprocess.run(
            [program, "run", document, "--url", service.url, *options, "--phases", "examples,coverage,fuzzing"],
            cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip
        log = service.log
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "Traceback" not in log


def test_every_answer_is_described(tmp_path: Path) -> None:
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": KEY}) as service:
        document = service.client.get("/openapi.json", headers={"X-API-Key": KEY}).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert ("401" in answers) == ("security" in operation) == (path != "/health"), path
            assert operation.get("description"), f"{method} {path} says what it does"
            if "requestBody" in operation:
                assert {"413", "415", "422", "503"} <= answers.keys(), path
