"""The numbers of a run in ``report.json``."""

from __future__ import annotations

import datetime as dt
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from program import Run

import cutline as package
from cutline.engine.totals import Latencies
from processes import DEFAULTS, start_cutline, wait_until
from server_process import Server

DOCUMENTED = Path(__file__).parents[2] / "docs" / "running.md"


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def report(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "o.jsonl.cutline" / "report.json").read_bytes())
    return data


def test_a_report_has_its_times_latencies_and_retries(
    cutline: Run, endpoint: Server, pictures: Path, tmp_path: Path
) -> None:
    options = ("-m", "m", "--endpoint", endpoint.url, "--retry-delay", "0.01")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=0.01)
    assert cutline("caption", str(pictures), "o.jsonl", *options).code == 0
    first = report(tmp_path)
    assert first["version"] == package.__version__
    times = [dt.datetime.fromisoformat(first[name]) for name in ("start", "end")]
    assert before <= times[0] <= times[1] <= dt.datetime.now(dt.UTC)
    own = first["this_run"]
    assert own["latency_seconds"]["requests"] == 5
    assert 0 < own["latency_seconds"]["p50"] <= own["latency_seconds"]["p90"] <= own["latency_seconds"]["p99"]
    assert own["pictures_per_second"] == pytest.approx(5 / own["wall_seconds"], rel=0.01)
    assert own["wall_seconds"] >= own["seconds"]
    assert own["retries"] == {}
    endpoint.post("/configure", {**DEFAULTS, "fault": {"500": 0.7}})
    injected = endpoint.get("/stats")["injected"].get("500", 0)
    failing = (*options, "--on-change", "redo-all", "--prompt", "short", "--max-retries", "50")
    assert cutline("caption", str(pictures), "o.jsonl", *failing).code == 0
    retries = endpoint.get("/stats")["injected"].get("500", 0) - injected
    second = report(tmp_path)
    assert retries
    assert second["this_run"]["retries"] == {"500": retries}
    both = second["all_runs"]
    assert (both["runs"], both["start"], both["retries"]) == (2, first["start"], {"500": retries})
    assert both["latency_seconds"]["requests"] == 10
    assert both["wall_seconds"] == pytest.approx(
        own["wall_seconds"] + second["this_run"]["wall_seconds"], abs=0.1
    )


def test_the_time_of_a_killed_run_counts(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    options = ("caption", pictures, "o.jsonl", "-m", "fake:latency=1,slots=1")
    run = start_cutline(*options, cwd=tmp_path)
    totals = tmp_path / "o.jsonl.cutline" / "totals.json"
    wait_until(lambda: totals.exists() and json.loads(totals.read_bytes())["pictures"] > 0)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert cutline(*map(str, options)).code == 0
    last = report(tmp_path)
    assert last["all_runs"]["runs"] == 2
    assert last["all_runs"]["start"] < last["start"]
    assert last["all_runs"]["wall_seconds"] > last["this_run"]["wall_seconds"] + 0.9
    assert last["all_runs"]["latency_seconds"] == {"requests": 5, "p50": 0.981, "p90": 0.981, "p99": 0.981}


def test_damaged_totals_begin_anew(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    options = ("caption", str(pictures), "o.jsonl", "-m", "fake")
    cutline(*options)
    for damage in (b"", b"{}", b'{"runs": "x"}', b"[1]", b'{"runs": 1, "start": 2}'):
        (tmp_path / "o.jsonl.cutline" / "totals.json").write_bytes(damage)
        assert cutline(*options).code == 0, damage
        assert report(tmp_path)["all_runs"]["runs"] == 1, damage


def test_every_field_of_a_report_is_documented(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    cutline("caption", str(pictures), "o.jsonl", "-m", "fake")
    page = DOCUMENTED.read_text("utf-8")
    table = page[page.index("### `report.json`") :].partition("\n## ")[0]
    named = {name.rpartition(".")[2].lstrip("….") for name in re.findall(r"`([\w….]+)`", table)}
    data = report(tmp_path)
    fields = {*data, *data["this_run"], *data["all_runs"], *data["this_run"]["latency_seconds"]}
    assert fields <= named, fields - named


def test_percentiles_are_those_of_the_values() -> None:
    latencies = Latencies()
    for number in range(1, 10_001):
        latencies.add(number / 1000)
    summary = latencies.summary()
    assert summary == {
        "requests": 10_000,
        "p50": pytest.approx(5, rel=0.03),
        "p90": pytest.approx(9, rel=0.03),
        "p99": pytest.approx(9.9, rel=0.03),
    }
    assert len(latencies.to_json()) < 300
    again = Latencies.from_json(json.loads(json.dumps(latencies.to_json())))
    assert again.summary() == summary
    assert (again + latencies).percentile(0.5) == summary["p50"]
