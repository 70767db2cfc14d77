"""Why a server ended, found in what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutline.captioners.servers.logs import exit_reason, newest_line
from cutline.credentials import Secret

VLLM = """\
(APIServer pid=7) WARNING 11-20 16:24:17 [system_utils.py:255] This can cause errors like `OSError: Too many files`.
(Worker pid=9) ERROR 11-20 16:24:36 [multiproc_executor.py:953]     raise ValueError(msg)
(Worker pid=9) ERROR 11-20 16:24:36 [multiproc_executor.py:953] ValueError: There is no module named 'tower'
(EngineCore pid=8) Traceback (most recent call last):
  File "/v/engine/utils.py", line 1431, in wait_for_engine_startup
    raise RuntimeError(
RuntimeError: Engine core initialization failed. See root cause above.
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (VLLM, "has: ValueError: There is no module named 'tower' … RuntimeError: Engine core initialization failed. See root cause above."),
        ("Traceback\n  File\n    ^^^^\ntorch.OutOfMemoryError: CUDA out of memory\n", "has: torch.OutOfMemoryError: CUDA out of memory"),
        ("usage: vllm [-h]\nvllm: error: unrecognized arguments: --x\n", "ends: usage: vllm [-h] | vllm: error: unrecognized arguments: --x"),
        ("loading\r 50 %\r\n\x1b[31mgone\x1b[0m", r"ends: loading | 50 % | \x1b[31mgone\x1b[0m"),
        ("a" * 9000, f"ends: {'a' * 500}"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_the_cause_is_told(tmp_path: Path, text: str, said: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert exit_reason(log, None) == f"its log {log} {said}"


def test_a_key_in_a_log_is_not_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("starting with api_key=secret-of-vllm")
    key = Secret("secret-of-vllm")
    assert "secret-of-vllm" not in exit_reason(log, key) + newest_line(log, key)
    assert newest_line(log, key).startswith("starting with api_key=")


def test_of_a_large_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ValueError: long ago\n" + "INFO: fine\n" * 20_000 + "the end\n")
    assert newest_line(log, None) == "the end"
    assert exit_reason(log, None).endswith("INFO: fine | the end")
