"""Filters and checks in a run: what they skip is kept, counted, and decided again when they change."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import ClassVar

import pytest
from batching import collect

import cutline
from cutline import Check, CheckResult, Filter, Rejection
from cutline.errors import ConfigError, JobChanged
from engine_outputs import captions, journal, report
from engine_pictures import png
from processes import cutline_here


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """From which number in a picture's name on it is skipped."""

    first: int = 0


class Later(Filter):
    """Skips pictures by the numbers in their names."""

    name = "later"
    Options = Numbers
    seen: ClassVar[list[str]] = []

    async def filter(self, sample, picture):
        self.seen.append(sample.key)
        number = int(sample.key.partition(".")[0])
        if number >= self.options.first:
            return Rejection(reason=f"number from {self.options.first} on", value={"number": number})
        return None


class Unlucky(Check):
    """Skips captions by the numbers in their pictures' names, after they were paid for."""

    name = "unlucky"
    Options = Numbers
    seen: ClassVar[list[str]] = []

    async def check(self, draft):
        self.seen.append(draft.sample.key)
        if int(draft.sample.key.partition(".")[0]) >= self.options.first:
            return Rejection(reason="unlucky number", value={"text": draft.text})
        return CheckResult(text=draft.text, fields=draft.fields, note={"lucky": [1]})


class Broken(Filter):
    name = "broken"

    async def filter(self, sample, picture):
        raise RuntimeError("it\nbroke")


@pytest.fixture(autouse=True)
def _registered():
    for stage in (Later, Unlucky, Broken):
        cutline.register_stage(stage)
    Later.seen.clear()
    Unlucky.seen.clear()


@pytest.fixture
def run(endpoint, tmp_path):
    """Runs the command line; returns the requests that were made, and what was printed."""

    def run(*arguments, expect=0, output="captions.jsonl"):
        before = endpoint.stats()["requests"]
        folder, output = tmp_path / "pictures", tmp_path / output
        done = cutline_here("caption", folder, output, *arguments, *endpoint.arguments(max_retries=0))
        assert done.returncode == expect, done.stderr
        return endpoint.stats()["requests"] - before, done.stderr

    return run


def keys(tmp_path, name="captions.jsonl"):
    return [key for key, _ in captions("jsonl", tmp_path / name)]


def test_a_filtered_picture_costs_nothing_is_counted_and_is_not_looked_at_again(run, pictures, tmp_path):
    pictures(6)
    requests, said = run("--filter", "later=4", "--image-limit", "5")
    assert requests == 4
    assert "4 captions · 1 skipped (1 number from 4 on)" in said
    assert "later: skipped 1" in said
    assert keys(tmp_path) == [f"0000{number}.png" for number in range(4)]
    found = report(tmp_path / "captions.jsonl")
    assert found["skip_reasons"] == {"number from 4 on": 1}
    assert found["stages"] == {"later": {"skipped": 1}}
    skip = journal(tmp_path / "captions.jsonl.cutline")["00004.png"]
    assert (skip["stage"], skip["value"], skip["steps"]) == ("later first=4", {"number": 4}, [])

    Later.seen.clear()
    requests, said = run("--filter", "later=4")
    assert (requests, Later.seen) == (0, ["00005.png"])
    assert "later: skipped 2" in said
    assert report(tmp_path / "captions.jsonl")["skips"] == 2


def test_another_rule_is_noticed_and_only_its_skips_are_decided_again(run, pictures, tmp_path):
    pictures(6)
    assert run("--filter", "later=2")[0] == 2
    _, said = run("--filter", "later=4", expect=2)
    assert "filters: later first=2 → later first=4" in said
    Later.seen.clear()
    requests, said = run("--filter", "later=4", "--on-change", "keep")
    assert (requests, sorted(Later.seen)) == (2, [f"0000{number}.png" for number in range(2, 6)])
    assert keys(tmp_path) == [f"0000{number}.png" for number in range(4)]
    assert "4 captions · 2 skipped (2 number from 4 on)" in said
    assert run("--filter", "later=4")[0] == 0
    requests, said = run("--on-change", "keep")
    assert (requests, len(keys(tmp_path))) == (2, 6)
    assert "skipped" not in said.partition("\n")[0]
    assert run()[0] == 0


def test_another_picture_under_the_same_name_is_looked_at_again(run, pictures, tmp_path):
    folder = pictures(2)
    assert run("--filter", "later=1")[0] == 1
    (folder / "00001.png").write_bytes(png() + bytes(7))
    Later.seen.clear()
    assert run("--filter", "later=1")[0] == 0
    assert Later.seen == ["00001.png"]


@pytest.mark.parametrize("output", ["captions.jsonl", "captions.parquet", "shards"])
def test_every_output_leaves_out_what_is_skipped(run, pictures, tmp_path, output):
    pictures(4)
    form = {"captions.jsonl": "jsonl", "captions.parquet": "parquet", "shards": "webdataset"}[output]
    run("--filter", "later=2", "--check", "unlucky=1", "--output-format", form, output=output)
    assert [key for key, _ in captions(form, tmp_path / output)] == ["00000.png"]


def test_a_check_may_skip_what_was_paid_for_and_its_steps_are_kept(run, pictures, tmp_path):
    pictures(4)
    requests, said = run("--check", "unlucky=2")
    assert requests == 4
    assert "2 captions · 2 skipped (2 unlucky number)" in said
    assert "unlucky: skipped 2" in said
    found = report(tmp_path / "captions.jsonl")
    assert found["stages"] == {"unlucky": {"skipped": 2, "lucky": 2, "lucky captions": 2}}
    skips = [one for one in journal(tmp_path / "captions.jsonl.cutline").values() if one["type"] == "skip"]
    assert len(skips) == 2
    for skip in skips:
        (step,) = skip["steps"]
        assert skip["value"] == {"text": step["text"]}
        assert step["reply"]["usage"]["completion_tokens"] > 0
    paid = found["completion_tokens"]
    assert paid == 2 * sum(skip["steps"][0]["reply"]["usage"]["completion_tokens"] for skip in skips)

    Unlucky.seen.clear()
    assert run("--check", "unlucky=2")[0] == 0
    assert Unlucky.seen == []
    assert report(tmp_path / "captions.jsonl")["completion_tokens"] == paid
    _, said = run("--check", "unlucky=3", expect=2)
    assert "checks: unlucky first=2 → unlucky first=3" in said
    run("--check", "unlucky=3", "--on-change", "keep")
    assert sorted(Unlucky.seen) == ["00002.png", "00003.png"]
    assert keys(tmp_path) == ["00000.png", "00001.png", "00002.png"]


def test_what_stages_did_is_known_where_a_run_goes_on(run, pictures, tmp_path):
    pictures(6)
    options = ("--filter", "later=5", "--check", "unlucky=3")
    run(*options, "--image-limit", "4")
    run(*options)
    found = report(tmp_path / "captions.jsonl")
    assert (found["captions"], found["skips"]) == (3, 3)
    assert found["stages"] == {
        "later": {"skipped": 1},
        "unlucky": {"skipped": 2, "lucky": 3, "lucky captions": 3},
    }


def test_a_caption_outside_the_range_is_a_failure_that_keeps_its_step(run, pictures, tmp_path):
    pictures(2)
    _, said = run("--check", "words=500..", expect=1)
    assert "words: 2 captions with fewer than 500 words" in said
    assert "2 failed (2 words)" in said
    for outcome in journal(tmp_path / "captions.jsonl.cutline").values():
        assert (outcome["kind"], len(outcome["steps"])) == ("words", 1)
    assert run("--check", "words=1..", "--on-change", "redo-failed")[0] == 2
    assert len(keys(tmp_path)) == 2


def test_a_filter_that_breaks_costs_its_pictures_only(run, pictures):
    pictures(2)
    requests, said = run("--filter", "broken", expect=1)
    assert requests == 0
    assert "2 failed (2 filter)" in said
    assert "broken: RuntimeError: it broke" in said


RETURNING = """
import os
import sys

import cutline

@cutline.register_stage
class Returning{number}(cutline.{base}):
    name = "returning-{number}"

    async def {method}(self, *_):
        return {result}
"""


@pytest.mark.parametrize(
    ("base", "result", "words"),
    [
        (
            "Filter",
            "cutline.Rejection(reason='red', value=0.7)",
            "Rejection.value has the type float; it must be a dict",
        ),
        ("Filter", "cutline.Rejection(reason=3)", "Rejection.reason has the type int; it must be a text"),
        ("Filter", "sys.exit(0)", "SystemExit: 0"),
        ("Check", "sys.exit('enough')", "SystemExit: enough"),
        ("Check", "os._exit(0)", "PluginExit: os._exit() of a plug-in"),
        ("Filter", "True", "a value of the type bool was returned; return None or a cutline.Rejection"),
        ("Check", "cutline.Rejection(reason='red', value='dark')", "Rejection.value has the type str"),
        (
            "Check",
            "cutline.CheckResult(text=None)",
            "CheckResult.text has the type NoneType; it must be a text",
        ),
        (
            "Check",
            "cutline.CheckResult(text='a', note=['b'])",
            "CheckResult.note has the type list; it must be a dict",
        ),
        ("Check", "cutline.Violation(reason='r', message='m', note='n')", "Violation.note has the type str"),
        (
            "Check",
            "cutline.Violation(reason='r', message='m', repaired='n')",
            "Violation.repaired has the type str",
        ),
        (
            "Check",
            "'a text'",
            "a value of the type str was returned; return a cutline.CheckResult, Rejection or Violation",
        ),
    ],
)
def test_what_no_stage_may_return_fails_its_picture(base, result, words, pictures, tmp_path, request):
    number, path, method = abs(hash(request.node.callspec.id)), tmp_path / "my.py", base.lower()
    path.write_text(RETURNING.format(number=number, base=base, method=method, result=result))
    options = ("--plugin", path, f"--{method}", f"returning-{number}", "--model", "fake")
    done = cutline_here("caption", pictures(2), tmp_path / "out.jsonl", *options)
    assert done.returncode == 1, done.stderr
    assert f"2 failed (2 {method})" in done.stderr
    assert words in done.stderr


def test_a_skip_whose_value_is_no_dict_is_decided_again(run, pictures, tmp_path):
    pictures(2)
    rule = ("--filter", "later=1")
    run(*rule)
    output, state = tmp_path / "captions.jsonl", tmp_path / "captions.jsonl.cutline"
    damaged = 0
    for path in [one for one in state.rglob("*") if one.is_file()]:
        content = path.read_bytes()
        damaged += content.count(b'"value":{"number":1}')
        path.write_bytes(content.replace(b'"value":{"number":1}', b'"value":0.7         '))
    assert damaged == 1
    output.unlink()
    (state / "output.json").unlink()  # as a run that ended before its first mark
    Later.seen.clear()
    run(*rule)
    assert Later.seen == ["00001.png"]
    assert keys(tmp_path) == ["00000.png"]


def test_filters_see_pictures_before_a_batch_and_checks_when_it_is_collected(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    service.configure(auto=True)
    sent = service.submit(folder, output, "--filter", "later=2", "--check", "unlucky=1")
    assert sent.returncode == 0, sent.stderr
    assert "2 pictures sent" in sent.stderr
    assert "2 pictures skipped: 2 number from 2 on" in sent.stderr
    assert Unlucky.seen == []
    Later.seen.clear()
    taken = collect(output, "--wait")
    assert taken.returncode == 0, taken.stderr
    assert Later.seen == []
    assert sorted(Unlucky.seen) == ["00000.png", "00001.png"]
    assert "1 caption · 3 skipped" in taken.stderr
    assert "later: skipped 2" in taken.stderr
    assert keys(tmp_path) == ["00000.png"]


def test_the_same_stages_from_python_and_from_a_job_file(run, pictures, tmp_path):
    folder = pictures(3)
    result = cutline.caption(
        folder, tmp_path / "one.jsonl", model="fake", filter="later=2", check=["words=1.."]
    )
    assert len(result) == 2
    assert [row["checks"]["words"]["words"] > 0 for row in result] == [True, True]
    assert result.report.stages == {
        "later": "skipped 1",
        "words": "0 captions with fewer than 1 words",
    }
    job = tmp_path / "job.toml"
    saved = (
        "caption",
        folder,
        tmp_path / "two.jsonl",
        "--model",
        "fake",
        "--filter",
        "size:width=2,aspect=9",
    )
    assert cutline_here(*saved, "--check", "words=1..", "--save-job", job).returncode == 0
    assert 'filter = [\n    "size:width=2,aspect=9",\n]' in job.read_text()
    assert cutline_here("run", job).returncode == 0
    assert len(captions("jsonl", tmp_path / "two.jsonl")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check", "nonsense"), "there is no 'nonsense' among the checks; known are similarity, words"),
        (("--filter", "words=3"), "there is no 'words' among the filters"),
        (("--check", "="), "--check takes NAME, NAME=VALUE or NAME:OPTION=VALUE, not '='"),
        (("--check", "words=3..", "--check", "words=4.."), "--check words is given twice"),
        (("--min-similarity", "0.2", "--check", "similarity=0.3"), "--check similarity is given twice"),
        (("--filter", "broken=3"), "--filter broken has no option 'for a value'; it has no options"),
        (("--filter", "later:last=3"), "--filter later has no option 'last'; its options are first"),
    ],
)
def test_what_is_no_stage_is_refused_before_anything_is_requested(
    run, pictures, tmp_path, arguments, message
):
    pictures(1)
    requests, said = run(*arguments, expect=2)
    assert requests == 0
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "captions.jsonl").exists()


PLUGIN = """
import dataclasses

import cutline


@dataclasses.dataclass(frozen=True, kw_only=True)
class Letter:
    letter: str = "a"


@cutline.register_stage
class Without(cutline.Check):
    name = "without-{name}"
    Options = Letter

    async def check(self, draft):
        if self.options.letter in draft.text:
            return cutline.Rejection(reason=f"has {{self.options.letter}}")
        return cutline.CheckResult(text=draft.text.upper(), fields=draft.fields)

    def summary(self, counts):
        return f"refused {{counts.get('skipped', 0)}}"


@cutline.register_stage
class Even(cutline.Filter):
    name = "even-{name}"

    async def filter(self, sample, picture):
        odd = int(sample.key.partition(".")[0]) % 2
        return cutline.Rejection(reason="odd", value={{"odd": odd}}) if odd else None
"""


def test_stages_from_a_file(pictures, tmp_path):
    path = tmp_path / "my_stages.py"
    path.write_text(PLUGIN.format(name="file"))
    options = ("--plugin", path, "--check", "without-file=?", "--filter", "even-file")
    done = cutline_here("caption", pictures(4), tmp_path / "out.jsonl", "--model", "fake", *options)
    assert done.returncode == 0, done.stderr
    assert "2 captions · 2 skipped (2 odd)" in done.stderr
    assert "without-file: refused 0" in done.stderr
    assert all(text.isupper() for _, text in captions("jsonl", tmp_path / "out.jsonl"))


def test_stages_from_an_installed_package(pictures, tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "my_stages_package-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-stages-package\nVersion: 1\n")
    points = """
        [cutline.checks]
        without-package = my_stages_package:Without

        [cutline.filters]
        even-package = my_stages_package:Even
    """
    (info / "entry_points.txt").write_text(textwrap.dedent(points))
    (site / "my_stages_package.py").write_text(PLUGIN.format(name="package"))
    monkeypatch.syspath_prepend(str(site))
    result = cutline.caption(
        pictures(4), tmp_path / "out.jsonl", model="fake", check="without-package=A", filter="even-package"
    )
    assert result.report.counts.reasons == {"odd": 2, "has A": 2}
    assert json.loads(json.dumps(result.report.to_json()["stages"])) == {
        "even-package": {"skipped": 2},
        "without-package": {"skipped": 2},
    }


def test_only_stages_can_be_registered():
    async def check(self, draft): ...

    with pytest.raises(ConfigError, match=r"Numbers is none of cutline\.Filter, .*cutline\.Measure"):
        cutline.register_stage(Numbers)
    with pytest.raises(ConfigError, match="is the name of one of cutline's own checks"):
        cutline.register_stage(type("Words", (Check,), {"name": "words", "check": check}))
    with pytest.raises(ConfigError, match="needs a name of letters"):
        cutline.register_stage(type("Nameless", (Check,), {"name": "a b"}))


def test_a_changed_stage_raises_from_python(pictures, tmp_path):
    folder = pictures(2)
    cutline.caption(folder, tmp_path / "out.jsonl", model="fake", check="words=1..")
    with pytest.raises(JobChanged, match=r"checks: words range=1\.\., action=fail → none"):
        cutline.caption(folder, tmp_path / "out.jsonl", model="fake")
