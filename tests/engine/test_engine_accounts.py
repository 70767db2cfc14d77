"""Every picture ends as a caption, a skip or a failure, and the exit code says which."""

from __future__ import annotations

import json
import textwrap
import time

import pytest

import cutline as package
from engine_outputs import captions, failures, lines, report
from processes import PATIENCE, cutline, cutline_here, start_cutline, wait_until
from server_process import Server


def add_plugin(folder, name, code):
    """A captioner from outside: a package with an entry point, as pip would have installed it."""
    (folder / f"{name}_plugin.py").write_text(textwrap.dedent(code))
    info = folder / f"{name}_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[cutline.captioners]\n{name} = {name}_plugin:Captioner\n")
    return {"PYTHONPATH": str(folder)}


def check_sums(output, total):
    summed = report(output)
    assert summed["captions"] + summed["skips"] + summed["failures"] == total
    assert summed["captions"] == len(captions("jsonl", output))
    assert summed["failures"] == len(failures(output)) == sum(summed["failure_kinds"].values())
    assert summed["skips"] == sum(summed["skip_reasons"].values())
    for row in failures(output):
        assert row["key"]
        assert row["kind"]
        assert row["message"]
    return summed


def test_inputs_are_captions_and_skips_and_failures(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"400": 0.1, "empty": 0.1, "length": 0.1, "refusal": 0.1})
    folder, output = pictures(80), tmp_path / "captions.jsonl"
    (folder / "00007.png").write_bytes(b"this is not a picture")
    (folder / "00008.png").write_bytes((folder / "00009.png").read_bytes()[:45])
    (folder / "00010.png").unlink()
    (folder / "00010.png").symlink_to("nowhere.png")
    for key in ("00003", "00004"):
        (folder / f"{key}.txt").write_text("A caption of mine.")
    arguments = ("caption", folder, output, "--existing", "skip", "--schema", tmp_path / "none")
    assert cutline_here(*arguments, *endpoint.arguments()).returncode == 2
    done = cutline_here(*arguments[:-2], *endpoint.arguments())
    assert done.returncode == 1, done.stderr
    summed = check_sums(output, 80)
    assert summed["skip_reasons"] == {"captioned already": 2}
    assert {"rejected", "empty", "truncated", "refused", "missing"} <= set(summed["failure_kinds"])
    kinds = {row["key"]: row["kind"] for row in failures(output)}
    assert kinds["00007.png"] in {"unsupported", "decode"}
    assert kinds["00008.png"] == "decode"
    assert kinds["00010.png"] == "missing"
    assert f"{summed['failures']} failed" in done.stderr
    assert "--retry-failed" in done.stderr


@pytest.mark.parametrize(("allowed", "code"), [(0, 1), (2, 1), (3, 0)])
def test_allowed_failures_decide_the_exit_code(allowed, code, pictures, tmp_path):
    folder = pictures(6)
    for key in ("00001", "00002", "00003"):
        (folder / f"{key}.png").unlink()
        (folder / f"{key}.png").symlink_to("nowhere.png")
    done = cutline("caption", folder, tmp_path / "c.jsonl", "--model", "fake", "--allow-failures", allowed)
    assert done.returncode == code
    assert report(tmp_path / "c.jsonl")["exit_code"] == code


@pytest.mark.parametrize("content", [None, "empty"])
def test_an_input_without_pictures_is_the_users_mistake(content, tmp_path):
    folder, output = tmp_path / "pictures", tmp_path / "captions.jsonl"
    if content:
        folder.mkdir()
    done = cutline_here("caption", folder, output, "--model", "fake")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not output.exists(), "the output was touched"


def test_only_what_a_broken_captioner_breaks_on_fails(pictures, tmp_path):
    """Exceptions, refusals, hangs, nonsense and empty answers, one after the other, at 6 % each."""
    folder, output = pictures(100), tmp_path / "captions.jsonl"
    model = "fake:error=0.06,rejected=0.06,hang=0.06,empty=0.06,nonsense=0.06,flaky=0.06"
    start = time.monotonic()
    done = cutline_here(
        *("caption", folder, output, "--model", model, "--timeout", 1, "--max-retries", 1),
        *("--retry-delay", 0.05),
    )
    assert time.monotonic() - start < 150
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    summed = check_sums(output, 100)
    assert set(summed["failure_kinds"]) <= {"captioner", "rejected", "timeout", "empty"}
    assert len(summed["failure_kinds"]) == 4
    assert 10 <= summed["failures"] <= 50
    attempts = {row["kind"]: row["attempts"] for row in failures(output)}
    assert attempts["timeout"] == 2
    assert attempts["rejected"] == 1


PLUGIN = """
    import asyncio
    from cutline.records import Reply, Usage

    class Captioner:
        def __init__(self, settings=""):
            self.name = "mine"
            self.slots = 4

        async def caption(self, picture, prompt):
            await asyncio.sleep(0)
            number = int(picture.path[-9:-4])
            if number == 3:
                raise MemoryError
            if number == 4:
                raise asyncio.CancelledError
            if number == 5:
                return Reply(text="A stone.", model="mine", usage=None)
            if number == 6:
                return Reply(text=None, model="mine")
            if number == 7:
                return Reply(text="A \\udcff surrogate.", model="mine", raw={"big": 2**80, "b": b"1"})
            if number == 8:
                raise TimeoutError("too late")
            if number == 9:
                return Reply(text="A stone.", model="mine", seconds="soon")
            return Reply(text=f"Stone {number}.", model="mine", usage=Usage(prompt_tokens=1))

        async def aclose(self):
            print("closed", flush=True)
"""


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_plugin_that_breaks_every_promise_costs_only_those_pictures(form, pictures, tmp_path):
    env = add_plugin(tmp_path / "site", "stones", PLUGIN) if (tmp_path / "site").mkdir() is None else {}
    output = tmp_path / f"captions.{form}"
    done = cutline(
        *("caption", pictures(12), output, "--model", "stones", "--max-retries", 0, "--retry-delay", 0.05),
        env=env,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.strip() == "closed"
    assert {row["key"][:-4]: row["kind"] for row in failures(output)} == {
        "00003": "out-of-memory",
        "00004": "captioner",
        "00005": "captioner",
        "00006": "captioner",
        "00008": "timeout",
        "00009": "captioner",
    }
    assert len(captions(form, output)) == 6
    assert f"{output}" in done.stderr


def test_the_same_input_gives_the_same_output_but_for_times(pictures, tmp_path):
    folder = pictures(60)
    (folder / "00030.png").write_bytes(b"?")
    outputs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        output = tmp_path / name / "captions.jsonl"
        package.caption(folder, output, model="fake:latency=0.001,empty=0.1,flaky=0.2", retry_delay=0.01)
        outputs.append([_without_times(row) for row in (*lines(output), *failures(output))])
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 60


def _without_times(value):
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name != "seconds"}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def test_pictures_that_go_or_change_during_the_run(pictures, tmp_path):
    """Listed far ahead of being opened: one is deleted, one replaced, one becomes a folder."""
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    process = start_cutline(
        *("caption", folder, output, "--model", "fake:latency=0.05,slots=1", "--reader-batch-size", 200),
    )
    journal = tmp_path / "captions.jsonl.cutline" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 2)
    (folder / "00057.png").unlink()
    (folder / "00058.png").write_bytes((folder / "00000.png").read_bytes())
    (folder / "00059.png").unlink()
    (folder / "00059.png").mkdir()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    check_sums(output, 60)
    assert {row["key"]: row["kind"] for row in failures(output)} == {
        "00057.png": "missing",
        "00059.png": "fetch",
    }
    found = dict(captions("jsonl", output))
    assert found["00058.png"] == found["00000.png"]
    assert "1 picture changed during the run (00058.png)" in errors
    assert report(output)["changed_meanwhile"] == 1


def test_a_picture_replaced_after_it_was_read_is_asked_again(pictures, tmp_path):
    """Its caption is of the old picture; whether it was written by then or not, the next run knows."""
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, "--model", "fake:latency=1.5,slots=1", "--quiet")
    process = start_cutline(*arguments)
    journal = tmp_path / "captions.jsonl.cutline" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 1)
    time.sleep(0.5)
    (folder / "00001.png").write_bytes((folder / "00000.png").read_bytes() + b"more")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert report(output)["changed_meanwhile"] == 1
    package.caption(folder, output, model="fake:latency=0")
    assert report(output)["changed_since_earlier"] == 1


@pytest.mark.parametrize("change", ["cut", "extended", None])
def test_a_list_that_is_written_to_during_the_run_is_named(change, pictures, tmp_path):
    folder, listed, output = pictures(60), tmp_path / "list.txt", tmp_path / "captions.jsonl"
    whole = "".join(f"{path}\n" for path in sorted(folder.iterdir()))
    lines = {"cut": whole[: len(whole) // 2], "extended": whole + whole[: len(whole) // 60], None: whole}[
        change
    ]
    listed.write_text(whole)
    arguments = ("caption", listed, output, "--model")
    process = start_cutline(*arguments, "fake:latency=0.1,slots=1")
    wait_until(
        lambda: (output.exists() and output.read_bytes().count(b"\n") > 3) or process.poll() is not None
    )
    if change is not None:
        listed.write_text(lines)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert (f"{listed} changed during the run" in errors) == (change is not None)


def test_a_picture_that_went_before_it_could_be_put_into_its_shard(pictures, tmp_path):
    """Captioned in a first run that was killed, gone in the second: a webdataset needs its bytes."""
    folder, output = pictures(30), tmp_path / "shards"
    arguments = ("caption", folder, output, "--output-format", "webdataset", "--model")
    process = start_cutline(*arguments, "fake:latency=0.02,slots=1")
    journal = tmp_path / "shards.cutline" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 10)
    process.kill()
    process.communicate()
    (tmp_path / "shards.cutline" / "mark.json").unlink(missing_ok=True)
    (folder / "00004.png").unlink()
    (folder / "00004.png").symlink_to("nowhere")
    done = cutline_here(*arguments, "fake")
    assert done.returncode == 1, done.stderr
    assert [row["key"] for row in failures(output)] == ["00004.png"]
    assert len(captions("webdataset", output)) == 29


def test_a_url_that_comes_twice_has_two_outcomes(endpoint, pictures, tmp_path):
    """Addresses of the endpoint serve as pictures that cannot be had; each is still accounted for."""
    listing, output = tmp_path / "urls.txt", tmp_path / "captions.jsonl"
    listing.write_text(f"{endpoint.root}/a.png\n{endpoint.root}/b.png\n{endpoint.root}/a.png\n")
    done = cutline_here("caption", listing, output, "--allow-private-urls", *endpoint.arguments())
    assert done.returncode == 1
    summed = check_sums(output, 3)
    assert summed["skip_reasons"] == {}
    assert [row["kind"] for row in failures(output)] == ["fetch"] * 3


def test_refused_addresses_are_asked_for_once_they_are_allowed(pictures, tmp_path):
    """What no option allows stays a failure, and is not asked about again each time."""
    folder, output, listing = pictures(3), tmp_path / "captions.jsonl", tmp_path / "urls.txt"
    with Server("scripted.py", "--folder", str(folder)) as web:
        urls = [f"{web.root}/pictures/{path.name}" for path in sorted(folder.iterdir())]
        listing.write_text("\n".join([*urls, "http://2130706433/a.png", f"{web.root}/gone.png"]))
        arguments = ("caption", listing, output, "--model", "fake")
        refused = cutline_here(*arguments)
        assert refused.returncode == 1
        assert "run again with --allow-private-urls" in refused.stderr
        assert {row["kind"] for row in failures(output)} == {"bad-url", "blocked-address"}
        cutline_here(*arguments, "--allow-private-urls")
    assert len(captions("jsonl", output)) == 3
    assert [row["kind"] for row in failures(output)] == ["bad-url", "fetch"]
    again = cutline_here(*arguments, "--allow-private-urls")
    assert "nothing to caption" in again.stderr
    assert [row["kind"] for row in failures(output)] == ["bad-url", "fetch"]


def test_two_rows_for_one_picture_are_both_written(pictures, tmp_path):
    """Rows of a table that name the same picture stay two rows, in this run and after a resume."""
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    table = tmp_path / "table.jsonl"
    rows = [{"path": str(folder / f"0000{n}.png"), "n": i} for i, n in enumerate((0, 1, 0, 2, 0))]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = (
        *("caption", table, output, "--image-column", "path", "--model", "fake"),
        *("--image-root", folder, "--quiet"),
    )
    for _ in range(2):
        done = cutline_here(*arguments)
        assert done.returncode == 0, done.stderr
        assert [row["metadata"]["n"] for row in lines(output)] == [0, 1, 2, 3, 4]
        (tmp_path / "captions.jsonl.cutline" / "mark.json").unlink()
