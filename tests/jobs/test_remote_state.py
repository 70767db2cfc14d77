"""The state of a remote output: how a run continues from another machine, and what locks it."""

from __future__ import annotations

import io
import json
import socket
import threading
import time

import pytest
from job_surroundings import environment_of
from PIL import Image

from cutline.engine.lease import Lease
from cutline.errors import OutputLocked
from processes import DEFAULTS, PATIENCE, cutline, start_cutline, wait_until

COUNT = 24


@pytest.fixture
def caption(photos, bucket, endpoint, tmp_path):
    """Captions the pictures from a home of its own, which stands for a machine; ``start`` does not wait."""

    def run(output, *more, home="home", start=False):
        folder = tmp_path / "photos"
        if not folder.exists():
            photos(COUNT)
        model = ("--model", "test", "--endpoint", endpoint.url, "--max-concurrent-requests", 2)
        call = start_cutline if start else cutline
        env = environment_of(tmp_path / home, bucket.environment)
        return call("caption", "photos", output, *model, *more, cwd=tmp_path, env=env)

    return run


@pytest.fixture
def client(bucket, monkeypatch):
    """Lets this process reach the bucket."""
    import s3fs

    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield bucket
    s3fs.S3FileSystem.clear_instance_cache()


def journalled(bucket, state):
    names = [name for name in bucket.names() if name.startswith(f"{state}/journal/")]
    lines = [json.loads(line) for name in names for line in bucket.read(name).splitlines()]
    return [line["key"] for line in lines if "key" in line]


FORMS = {
    "out.jsonl": (),
    "out.parquet": (),
    "shards": ("--output-format", "webdataset", "--samples-per-shard", 4),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_killed_run_goes_on_from_another_machine(name, caption, bucket, endpoint):
    output, options = f"{bucket.url}/sets/{name}", FORMS[name]
    state = f"sets/_{name}.cutline"
    endpoint.configure(latency=0.15, slots=2)
    first = caption(output, *options, start=True)
    wait_until(lambda: len(journalled(bucket, state)) >= 9)
    first.kill()
    first.communicate()
    endpoint.configure(**DEFAULTS)
    kept = len(set(journalled(bucket, state)))
    assert kept < COUNT
    before = endpoint.stats()["requests"]
    second = caption(output, *options, home="another")
    assert second.returncode == 0, second.stderr
    assert f"continuing from {bucket.url}/{state}" in second.stderr
    assert endpoint.stats()["requests"] - before == COUNT - kept
    assert sorted(journalled(bucket, state)) == [f"{number:02}.png" for number in range(COUNT)]
    third = caption(output, *options, home="a-third")
    assert third.returncode == 0, third.stderr
    assert endpoint.stats()["requests"] - before == COUNT - kept
    assert not [name for name in bucket.names() if "/lock/" in name]
    if name == "shards":
        shards = [name for name in bucket.names() if name.endswith(".tar")]
        assert shards == [f"sets/shards/{number:05}.tar" for number in range(COUNT // 4)]


def test_what_this_machine_had_not_copied_yet_counts_too(caption, bucket, endpoint, tmp_path):
    """A run that was killed within a second of an answer continues from its own folder."""
    output = f"{bucket.url}/own.jsonl"
    endpoint.configure(latency=0.1, slots=2)
    first = caption(output, start=True)
    (folder,) = wait_until(
        lambda: list((tmp_path / "home").glob(".local/state/cutline/own.jsonl-*/journal.jsonl"))
    )
    wait_until(lambda: folder.read_bytes().count(b"\n") >= 8)
    first.kill()
    first.communicate()
    endpoint.configure(**DEFAULTS)
    here = sum("key" in json.loads(line) for line in folder.read_bytes().splitlines(keepends=True)[:-1])
    before = endpoint.stats()["requests"]
    second = caption(output)
    assert second.returncode == 0, second.stderr
    assert "continuing from" not in second.stderr
    assert COUNT - here - 1 <= endpoint.stats()["requests"] - before <= COUNT - here
    assert len(set(journalled(bucket, "_own.jsonl.cutline"))) == COUNT


def test_two_machines_do_not_both_pay(caption, bucket, endpoint):
    output = f"{bucket.url}/both.jsonl"
    endpoint.configure(latency=2.0, slots=1)
    before = endpoint.stats()["requests"]
    first = caption(output, start=True)
    wait_until(lambda: endpoint.stats()["requests"] > before)
    second = caption(output, home="another")
    assert second.returncode == 2, second.stderr
    assert (
        f"another run is writing to {output} (process {first.pid} on {socket.gethostname()}" in second.stderr
    )
    endpoint.configure(**DEFAULTS)
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    assert endpoint.stats()["requests"] - before == COUNT


@pytest.mark.parametrize("name", FORMS)
def test_a_run_whose_lock_another_took_publishes_nothing(name, caption, bucket, endpoint):
    """As one that was suspended while its last requests were under way."""
    output, options = f"{bucket.url}/sets/{name}", FORMS[name][:2]
    state = f"sets/_{name}.cutline"
    endpoint.configure(latency=0.3, slots=2)
    run = caption(output, *options, start=True)
    wait_until(lambda: journalled(bucket, state))
    later = {"process": 1, "host": "later", "since": "then", "machine": "another", "held": True}
    bucket.write(f"{state}/lock/00000009-later.json", json.dumps(later).encode())
    told = run.communicate(timeout=PATIENCE)[1]
    assert run.returncode == 2, told
    assert "(process 1 on later, since then); this run stops: run the same command again" in told
    assert not [one for one in bucket.names() if "/_" not in one]
    assert f"{state}/report.json" not in bucket.names()


def mark_of(home):
    (mark,) = home.glob(".local/state/cutline/*/remote.json")
    return mark


def test_what_was_copied_just_before_a_kill_is_not_copied_again(caption, bucket, endpoint, tmp_path):
    """The note of how much was copied is written behind the copy."""
    output = f"{bucket.url}/out.jsonl"
    assert caption(output, "--image-limit", 5).returncode == 0
    mark = mark_of(tmp_path / "home")
    before = mark.read_bytes()
    assert caption(output).returncode == 0
    mark.write_bytes(before)
    done = caption(output)
    assert done.returncode == 0, done.stderr
    assert sorted(journalled(bucket, "_out.jsonl.cutline")) == [f"{number:02}.png" for number in range(COUNT)]
    assert f"in all runs {COUNT * 120:,} tokens" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"sent": "x"},
        {"sent": None},
        {"sent": -1},
        {"sizes": {"00000001-00000001.jsonl": "x"}},
        {"sizes": []},
        {"measures": {"sent": None}},
        {"measures": 1},
        {"records": "x"},
    ],
    ids=str,
)
def test_a_damaged_note_of_what_was_copied_costs_nothing(change, caption, bucket, endpoint, tmp_path):
    output = f"{bucket.url}/out.jsonl"
    assert caption(output).returncode == 0
    before = endpoint.stats()["requests"]
    mark = mark_of(tmp_path / "home")
    mark.write_text(json.dumps({**json.loads(mark.read_bytes()), **change}))
    done = caption(output)
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == before
    assert len(journalled(bucket, "_out.jsonl.cutline")) == COUNT


def test_state_may_be_a_url_of_its_own(caption, bucket, endpoint, tmp_path):
    before = endpoint.stats()["requests"]
    state = f"{bucket.url}/states/mine"
    for home in ("home", "another"):
        done = caption("out.jsonl", "--state", state, home=home)
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "s3:").exists()
        assert not (tmp_path / "out.jsonl.cutline").exists()
        assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == COUNT
        (tmp_path / "out.jsonl").unlink()
    assert endpoint.stats()["requests"] - before == COUNT
    assert len(journalled(bucket, "states/mine")) == COUNT


def test_a_replaced_object_that_a_table_names_is_captioned_anew(bucket, tmp_path, photos):
    folder = photos(3)
    pictures = {
        f"{place}/{number}.png": (folder / f"0{number}.png").read_bytes()
        for place in "ab"
        for number in (1, 2)
    }
    for name, data in pictures.items():
        bucket.write(f"set/{name}", data)
    (tmp_path / "paths.csv").write_text("\n".join(["image", *pictures]))
    (tmp_path / "urls.csv").write_text(
        "\n".join(["link", *(f"{bucket.url}/set/{name}" for name in pictures)])
    )
    commands = [
        ("paths.csv", "paths.jsonl", "--image-root", f"{bucket.url}/set"),
        ("urls.csv", "urls.jsonl", "--url-column", "link", "--image-root", bucket.url),
    ]
    env = environment_of(tmp_path / "home", bucket.environment)

    def captions():
        for command in commands:
            done = cutline("caption", *command, "--model", "pixels:no-ocr", cwd=tmp_path, env=env)
            assert done.returncode == 0, done.stderr
        rows = [(tmp_path / command[1]).read_text().splitlines() for command in commands]
        return [[json.loads(row)["caption"] for row in each] for each in rows], done.stderr

    before, _ = captions()
    white = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(white, "PNG")
    bucket.write("set/a/2.png", white.getvalue())
    after, told = captions()
    for old, new in zip(before, after, strict=True):
        assert [number for number in range(4) if old[number] != new[number]] == [1]
        assert "white" in new[1]
    assert "1 new, 3 from earlier runs" in told


def test_the_state_of_earlier_versions_is_taken_over(caption, bucket, endpoint, tmp_path):
    output = f"{bucket.url}/old.jsonl"
    assert caption(output, "--image-limit", 5).returncode == 0
    parts = [name for name in bucket.names() if "/journal/" in name]
    whole = b"".join(bucket.read(name) for name in parts)
    bucket.write("_old.jsonl.cutline/journal.jsonl", whole)
    bucket.remove(*parts)
    before = endpoint.stats()["requests"]
    done = caption(output, home="another")
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] - before == COUNT - 5
    assert "_old.jsonl.cutline/journal.jsonl" not in bucket.names()
    assert len(set(journalled(bucket, "_old.jsonl.cutline"))) == COUNT


def test_a_part_that_another_machine_finds_damaged_is_named(caption, bucket, endpoint):
    output = f"{bucket.url}/sets/out.jsonl"
    assert caption(output).returncode == 0
    before = endpoint.stats()["requests"]
    (part,) = (name for name in bucket.names() if "/journal/" in name)
    bucket.write(part, bucket.read(part).replace(b"1", b"2", 1))
    refused = caption(output, home="another")
    (line,) = refused.stderr.strip().splitlines()
    assert refused.returncode == 4, line
    assert f"{part.rpartition('/')[2]} is damaged: run the command on the machine that wrote it" in line
    bucket.remove(part)  # the other cure
    done = caption(output, "--existing", "overwrite", home="third")
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == 2 * before


@pytest.mark.parametrize("damage", ["empty", "cut", "gone", "same size"])
def test_a_damaged_part_of_the_journal_costs_no_answers_of_the_machine_that_wrote_it(
    damage, caption, bucket, endpoint
):
    output = f"{bucket.url}/sets/out.jsonl"
    assert caption(output).returncode == 0
    before = endpoint.stats()["requests"]
    (part,) = (name for name in bucket.names() if "/journal/" in name)
    whole = bucket.read(part)
    if damage == "gone":
        bucket.remove(part)
    elif damage == "same size":
        bucket.write(part, whole.replace(b"1", b"2"))
    else:
        bucket.write(part, whole[: 300 if damage == "cut" else 0])
    again = caption(output)
    assert again.returncode == 0, again.stderr
    assert len(journalled(bucket, "sets/_out.jsonl.cutline")) == COUNT
    other = caption(output, home="another")
    assert other.returncode == 0, other.stderr
    assert endpoint.stats()["requests"] == before


def test_outputs_within_a_remote_input_and_pictures_are_left_alone(caption, photos, bucket, tmp_path):
    """Of this run and of earlier ones; what is found by its content is as on this machine."""
    folder = photos(COUNT)
    for name, source in {"a.png": "00.png", "b.jpg_large": "01.png", "c": "02.png"}.items():
        bucket.write(f"in/{name}", (folder / source).read_bytes())
    bucket.write("in/d.jxl", b"\xff\x0a" + bytes(50))
    bucket.write("in/notes", b"no picture")
    env = environment_of(tmp_path / "home", bucket.environment)
    webdataset = ("--output-format", "webdataset")
    for options in ((f"{bucket.url}/in/sh", *webdataset), (f"{bucket.url}/in/t.parquet",), ("out.jsonl",)):
        for _ in range(2 if options[1:] else 1):
            done = cutline("caption", f"{bucket.url}/in", *options, "--model", "fake", cwd=tmp_path, env=env)
            assert done.returncode == 0, done.stderr
            assert "\n3 captions" in f"\n{done.stderr}", done.stderr
            assert "archive" not in done.stderr
    assert "left out 1 picture in a format that cannot be opened (d.jxl)" in done.stderr
    over = (
        f"{bucket.url}/in",
        f"{bucket.url}/in/a.png",
        "--output-format",
        "jsonl",
        "--existing",
        "overwrite",
    )
    refused = cutline("caption", *over, "--model", "fake", cwd=tmp_path, env=env)
    assert refused.returncode == 2
    assert "a.png is a picture and would be replaced by the output" in refused.stderr
    assert bucket.read("in/a.png") == (folder / "00.png").read_bytes()


def lease(bucket, **options):
    return Lease(f"{bucket.url}/lock", "the output", **options)


def written(bucket):
    return [name for name in bucket.names() if name.startswith("lock/")]


OWNER_LOST = {"process": 1, "host": "lost", "since": "then", "machine": "another"}
DAMAGED = [b"", b"{", b"[]", b"\xff\x00", json.dumps({"process": "x", "held": 1, "time": "abc"}).encode()]


@pytest.mark.parametrize("content", [json.dumps(OWNER_LOST).encode(), *DAMAGED], ids=range(6))
def test_a_lease_of_a_lost_machine_ends_by_itself(client, content):
    client.write("lock/00000004-lost.json", content)
    own = lease(client, duration=1.0)
    own.acquire()
    assert own.generation >= 5
    assert len(written(client)) == 1
    own.renew()
    own.release()
    assert written(client) == []


def test_a_run_that_waits_for_the_lock_does_not_end_the_one_that_has_it(client):
    own = lease(client)
    own.acquire()
    owner = {"process": 1, "host": "waiting", "since": "then", "machine": "another"}
    client.write("lock/00000009-waiting.json", json.dumps(owner).encode())
    own.renew()
    client.write("lock/00000009-holding.json", json.dumps(owner | {"held": True}).encode())
    with pytest.raises(OutputLocked, match=r"another run is writing to the output \(process 1 on waiting"):
        own.renew()


def test_a_lease_that_is_renewed_is_not_taken(client):
    owner = json.dumps({"process": 1, "host": "busy", "since": "then", "machine": "another"}).encode()
    ended = threading.Event()

    def renew():
        while not ended.wait(0.3):
            client.write("lock/00000001-busy.json", owner)

    client.write("lock/00000001-busy.json", owner)
    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(OutputLocked, match=r"process 1 on busy, since then"):
            lease(client, duration=20.0).acquire()
    finally:
        ended.set()
        thread.join()
    assert written(client) == ["lock/00000001-busy.json"]


def test_a_lease_that_was_lost_is_not_renewed(client):
    own = lease(client)
    own.acquire()
    client.write("lock/00000009-later.json", json.dumps({"host": "later", "held": True}).encode())
    with pytest.raises(OutputLocked, match="on later"):
        own.renew()
    client.remove("lock/00000009-later.json", *written(client))
    with pytest.raises(OutputLocked, match="gone"):
        own.renew()


def test_of_many_that_begin_together_one_holds_the_lease(client):
    """Each has another machine's name, so that none may count another as dead."""
    held, lost, most = [], [], []
    lock = threading.Lock()

    def begin(number):
        own = lease(client, duration=30.0, machine=f"machine-{number}")
        try:
            own.acquire()
        except OutputLocked:
            lost.append(number)
            return
        with lock:
            held.append(number)
            most.append(len(held))
        time.sleep(0.2)
        with lock:
            held.remove(number)
        own.release()

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) + len(lost) == 4
