"""The queue's tables under many hands: what is taken, written, cancelled and forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sqlite3
import subprocess
import sys

import pytest

from cutline.errors import ConfigError, MissingExtra
from cutline.service.queue.leases import Leases, Result
from cutline.service.queue.schema import Database, reserved
from cutline.service.queue.store import KeyReused, NewItem, NewJob, QueueFull, Store
from processes import command, free_port


@contextlib.contextmanager
def opened(url, **limits):
    database = Database(url)
    database.prepare()
    try:
        yield database, Store(database, **{"max_waiting": 1_000, **limits})
    finally:
        database.close()


def order(count=3, key=None, name="p", options=b"{}"):
    pictures = (
        NewItem(name=f"{name}{one}", kind="upload", data=f"{name}{one}".encode()) for one in range(count)
    )
    return NewJob(pictures=tuple(pictures), options=options, key=key)


def done(item, *, captioned=True):
    return Result(item=item, data={"image_path": item.name, "caption": item.name}, captioned=captioned)


async def test_workers_never_share_a_picture(store_url):
    with opened(store_url) as (first, store), opened(store_url) as (second, _):
        for _ in range(10):
            await store.submit(order(20))
        workers = [Leases(database, seconds=60) for database in (first, second) * 4]

        async def work(leases):
            mine = []
            while claimed := await leases.claim(7):
                mine += [item.id for item in claimed]
                await leases.complete([done(item) for item in claimed])
            return mine

        taken = [one for mine in await asyncio.gather(*map(work, workers)) for one in mine]
        assert len(taken) == len(set(taken)) == 200
        assert {task.status for task in await store.jobs(limit=20)} == {"completed"}
        assert await store.waiting() == 0


async def test_results_come_in_order_whenever_they_were_written(store_url):
    with opened(store_url) as (database, store):
        job = await store.submit(order(5))
        leases = Leases(database, seconds=60)
        claimed = await leases.claim(5)
        for item in (claimed[3], claimed[0], claimed[4]):
            await leases.complete([done(item)])
        assert [result["index"] for result in await store.results(job)] == [0, 3, 4]
        assert (await store.job(job)).status == "in_progress"
        await leases.complete([done(item, captioned=False) for item in (claimed[1], claimed[2])])
        task = await store.job(job)
        assert (task.status, task.captioned, task.failed) == ("completed", 3, 2)


async def test_a_dead_workers_pictures_go_to_another_and_count_once(store_url):
    with opened(store_url) as (database, store):
        job = await store.submit(order(4))
        dead, other = Leases(database, seconds=1.5), Leases(database, seconds=60)
        lost = await dead.claim(4)
        assert await other.claim(4) == []
        await asyncio.sleep(1.7)
        taken = await other.claim(4)
        assert [item.id for item in taken] == [item.id for item in lost]
        assert {item.attempts for item in taken} == {2}
        assert await dead.renew() == set()
        await dead.complete([done(item, captioned=False) for item in lost])  # it was not dead after all
        assert await store.results(job) == []
        await other.complete([done(item) for item in taken])
        await other.complete([done(item) for item in taken])
        task = await store.job(job)
        assert (task.status, task.captioned, task.failed) == ("completed", 4, 0)


async def test_what_is_put_back_in_good_order_is_not_told_as_a_death(store_url, caplog):
    with opened(store_url) as (database, store):
        await store.submit(order(2))
        dead, other = Leases(database, seconds=1.5), Leases(database, seconds=60)
        await dead.claim(2)
        await asyncio.sleep(1.7)
        await other.claim(2)
        await other.release()  # as a service that is asked to stop
        assert len(await Leases(database, seconds=60).claim(2)) == 2
        assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
            "worker died, pictures taken over pictures=2 tried_alone=0 given_up=0 lease_seconds=60"
        ]


async def test_each_death_is_told_once_with_all_its_pictures(store_url, caplog):
    """However few of them are taken up at once, and whenever it had leased them."""
    with opened(store_url) as (database, store):
        await store.submit(order(9))
        dead, also_dead, other = (Leases(database, seconds=seconds) for seconds in (1.5, 1.5, 60))
        await dead.claim(3)
        await also_dead.claim(2)
        await asyncio.sleep(0.7)
        await dead.claim(1)
        await asyncio.sleep(1.0)
        taken = [item for _ in range(3) for item in await other.claim(2)]
        assert [item.attempts for item in taken] == [2] * 6
        assert sorted(record.getMessage() for record in caplog.records if record.levelname == "WARNING") == [
            f"worker died, pictures taken over pictures={pictures} tried_alone=0 given_up=0 lease_seconds=60"
            for pictures in (2, 4)
        ]


async def test_only_what_was_under_way_at_two_deaths_is_tried_alone_by_one_worker(store_url):
    with opened(store_url) as (database, store):
        await store.submit(order(3))
        for attempts in (1, 2):
            dead = Leases(database, seconds=0.5)
            assert [item.attempts for item in await dead.claim(9)] == [attempts] * 3
            await asyncio.sleep(0.7)
        await store.submit(order(4))
        one, other = Leases(database, seconds=60), Leases(database, seconds=60)
        other.is_idle = False
        assert await other.claim(9) == [], "it first finishes what it has"
        (suspect,) = await one.claim(9)
        assert suspect.is_suspect
        assert [item.attempts for item in await other.claim(9)] == [1] * 4, "the other goes on meanwhile"
        await one.complete([done(suspect)])
        assert [item.is_suspect for item in await one.claim(9)] == [True]


async def test_one_that_was_only_late_keeps_what_nobody_has_taken(store_url):
    with opened(store_url) as (database, store):
        await store.submit(order(4))
        late, other = Leases(database, seconds=0.5), Leases(database, seconds=60)
        held = await late.claim(4)
        await asyncio.sleep(0.7)
        (taken,) = await other.claim(1)
        assert await late.renew() == {item.id for item in held} - {taken.id}
        assert await other.claim(4) == []


async def test_renewed_leases_last_and_returned_ones_are_free(store_url):
    with opened(store_url) as (database, store):
        await store.submit(order(4))
        alive, other = Leases(database, seconds=2), Leases(database, seconds=60)
        held = await alive.claim(4)
        for _ in range(5):
            await asyncio.sleep(0.5)
            assert len(await alive.renew()) == 4
        assert await other.claim(4) == []
        await alive.release([held[0].id])
        assert [item.attempts for item in await other.claim(4)] == [1], "nobody died over it"
        await alive.release()
        assert len(await other.claim(4)) == 3


async def test_a_small_job_does_not_wait_for_a_large_one_before_it(store_url):
    with opened(store_url) as (database, store):
        large = await store.submit(order(200))
        await asyncio.sleep(0.25)
        small = await store.submit(order(3))
        first = [item.job for item in await Leases(database, seconds=60).claim(20)]
        assert first.count(small) == 3
        assert first[:2] == [large, large]


async def test_a_cancelled_job_is_nobodys_any_more(store_url):
    with opened(store_url) as (database, store):
        job = await store.submit(order(5))
        leases = Leases(database, seconds=60)
        claimed = await leases.claim(3)
        await leases.complete([done(claimed[0])])
        assert await store.cancel(job)
        assert not await store.cancel(job)
        assert await leases.renew() == set()
        await leases.complete([done(item) for item in claimed])
        task = await store.job(job)
        assert (task.status, task.captioned, len(await store.results(job))) == ("cancelled", 1, 1)
        assert await leases.upload(claimed[1]) is None
        assert await leases.claim(5) == []
        assert await store.waiting() == 0


async def test_one_key_is_one_job_however_many_send_it_at_once(store_url):
    with opened(store_url) as (first, store), opened(store_url) as (_, other):
        jobs = await asyncio.gather(*((store, other)[one % 2].submit(order(key="k")) for one in range(50)))
        assert len(set(jobs)) == 1
        assert len(await store.jobs(limit=10)) == 1
        for different in (order(key="k", name="q"), order(2, key="k"), order(key="k", options=b'{"seed":1}')):
            with pytest.raises(KeyReused):
                await store.submit(different)
        leases = Leases(first, seconds=60)
        await leases.complete([done(item) for item in await leases.claim(3)])
        assert await store.submit(order(key="k")) == jobs[0], "also when it is done"


async def test_the_queue_has_an_end(store_url):
    with opened(store_url, max_waiting=10) as (database, store):
        await store.submit(order(6, key="k"))
        with pytest.raises(QueueFull) as full:
            await store.submit(order(5))
        assert full.value.waiting == 6
        await store.submit(order(4))
        await store.submit(order(6, key="k"))  # is there already
        leases = Leases(database, seconds=60)
        await leases.complete([done(item) for item in await leases.claim(10)])
        await store.submit(order(10))


async def test_old_results_are_forgotten_with_all_that_belongs_to_them(store_url):
    with opened(store_url) as (database, store):
        ended, running = await store.submit(order(2)), await store.submit(order(2))
        leases = Leases(database, seconds=60)
        await leases.complete([done(item) for item in await leases.claim(4) if item.job == ended])
        assert await store.expire(60) == 0
        await asyncio.sleep(0.02)
        assert await store.expire(0.001) == 1
        assert await store.job(ended) is None
        assert await store.results(ended) == []
        assert (await store.job(running)).total == 2


async def test_names_that_no_database_likes(store_url):
    with opened(store_url) as (database, store):
        names = ["a\0b.png", "'); DROP TABLE cutline_jobs; --", "Möwe 🐦.png", "x" * 1_000]
        pictures = tuple(NewItem(name=name, kind="path") for name in names)
        await store.submit(NewJob(pictures=pictures, options=b"{}"))
        found = [item.name for item in await Leases(database, seconds=60).claim(9)]
        assert found == ["a\\0b.png", *names[1:]]


def test_stores_that_cannot_be_used_say_so_in_one_line(tmp_path, monkeypatch):
    for url, cure in {
        "nonsense": "sqlite:///FILE",
        "mysql://root@localhost/x": "sqlite:///FILE",
        "sqlite://": "needs a file",
        "sqlite:///:memory:": "needs a file",
        f"sqlite:///{tmp_path}/none/jobs.db": "make its folder",
        "postgresql://someone:s3cret@127.0.0.1:9/none": "cannot be opened",
    }.items():
        with pytest.raises(ConfigError, match=cure) as error, opened(url):
            pass
        assert "\n" not in str(error.value)
        assert "s3cret" not in str(error.value)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="postgres"):
        Database("postgresql://localhost/x")


@pytest.mark.parametrize("damage", ["text", "zeros", "cut", "half"])
def test_a_damaged_store_is_named_with_a_cure_and_left_as_it_is(damage, tmp_path):
    file = tmp_path / "jobs.db"
    url = f"sqlite:///{file}"
    with opened(url):
        pass
    whole = file.read_bytes()
    file.write_bytes(
        {"text": b"words\n" * 99, "zeros": bytes(5_000), "cut": whole[:5_000], "half": whole[:16]}[damage]
    )
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="move it away: a new one is made") as error, opened(url):
        pass
    assert "\n" not in str(error.value)
    assert file.read_bytes() == before
    file.rename(tmp_path / "away")
    with opened(url):
        pass


def test_a_folder_as_a_store_is_named(tmp_path):
    with pytest.raises(ConfigError, match="is a folder: name a file in it"), opened(f"sqlite:///{tmp_path}"):
        pass


@pytest.mark.parametrize("kind", ["lock", "model"])
def test_a_folder_where_a_file_beside_the_store_belongs_is_named(kind, tmp_path):
    (tmp_path / f"jobs.db.{kind}").mkdir()
    store = f"sqlite:///{tmp_path / 'jobs.db'}"
    with (
        pytest.raises(ConfigError, match=rf"jobs\.db\.{kind}: Is a directory; move that folder away"),
        reserved(store, "fake"),
    ):
        pass
    (tmp_path / f"jobs.db.{kind}").rmdir()
    with reserved(store, "fake"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on file sizes")
def test_a_full_disk_is_not_taken_for_a_damaged_store(tmp_path):
    arguments = ("serve", "--model", "fake", "--port", free_port(), "--store", "sqlite:///jobs.db")
    line = shlex.join(command(*arguments))
    refused = subprocess.run(
        ["bash", "-c", f"ulimit -f 4; {line}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2, refused.stderr
    assert "check that the disk has free space" in refused.stderr
    assert "move it away" not in refused.stderr


def test_a_store_of_another_version_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    with opened(url):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as other:
        other.execute("UPDATE cutline_store SET version = 99")
        other.commit()
    with pytest.raises(ConfigError, match="another cutline version"), opened(url):
        pass


def test_what_clients_sent_is_not_for_other_users_of_the_machine(tmp_path):
    with opened(f"sqlite:///{tmp_path / 'jobs.db'}") as (_, store):
        asyncio.run(store.submit(order()))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
