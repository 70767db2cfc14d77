"""Sources that break half way, never begin, or take their time."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from cutline.engine.cancellation import Stop
from cutline.engine.report import Interrupted
from cutline.engine.run import run_job
from cutline.errors import ConfigError, PictureError, RunStopped, SourceError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.options import InputOptions, ModelOptions
from cutline.records import Location, Sample
from engine_outputs import captions, report
from engine_pictures import png


class Bytes(Location):
    """A picture in memory."""

    def __init__(self, name):
        self._name = name
        self._data = png()

    @property
    def path(self):
        return self._name

    def read(self):
        if self.path.endswith("gone.png"):
            raise PictureError("missing", "gone")
        return self._data


class Listed(Source):
    """A source that gives ``count`` samples and then does what it is told."""

    def __init__(self, count, then=None):
        self._samples = [Sample(key=f"{n:04}.png", location=Bytes(f"{n:04}.png")) for n in range(count)]
        self._then = then

    def samples(self):
        yield from self._samples
        if self._then is not None:
            self._then()

    def count(self):
        return None


def failing(error):
    def fail():
        raise error

    return fail


def job(output, **options):
    return Job(
        input_path="listed",
        output_path=str(output),
        model=ModelOptions(model=options.pop("model", "fake")),
        input=InputOptions(**options),
    )


async def test_what_was_listed_before_a_break_is_captioned(tmp_path):
    output = tmp_path / "captions.jsonl"
    source = Listed(45, failing(SourceError("the second shard is cut off")))
    result = await run_job(job(output), source=source)
    assert result.exit_code == 3
    assert str(result.stopped) == "the second shard is cut off"
    assert len(captions("jsonl", output)) == 45, "a part of a batch was thrown away"
    assert report(output)["complete"] is False
    again = await run_job(job(output), source=Listed(50))
    assert again.exit_code == 0
    assert again.fresh.captions == 5


async def test_a_source_that_cannot_begin_leaves_the_output_alone(tmp_path):
    output = tmp_path / "captions.jsonl"
    await run_job(job(output), source=Listed(3))
    content = output.read_bytes()
    for error in (ConfigError("there is nothing"), SourceError("the disk is gone")):
        with pytest.raises(type(error)):
            await run_job(job(output), source=Listed(0, failing(error)))
        assert output.read_bytes() == content


async def test_a_mistake_found_half_way_is_raised_after_the_rest_is_kept(tmp_path):
    output = tmp_path / "captions.jsonl"
    with pytest.raises(ConfigError, match="no such column"):
        await run_job(job(output), source=Listed(40, failing(ConfigError("no such column"))))
    again = await run_job(job(output), source=Listed(40))
    assert again.fresh.captions == 0
    assert again.counts.captions == 40


async def test_a_bug_in_a_source_is_loud(tmp_path):
    with pytest.raises(ZeroDivisionError):
        await run_job(job(tmp_path / "c.jsonl"), source=Listed(40, lambda: 1 / 0))


async def test_an_empty_source_gives_an_empty_output(tmp_path):
    result = await run_job(job(tmp_path / "c.jsonl"), source=Listed(0))
    assert result.exit_code == 0
    assert captions("jsonl", tmp_path / "c.jsonl") == []


async def test_stopping_does_not_wait_for_a_listing_that_hangs(tmp_path):
    release, stop = threading.Event(), Stop()
    asyncio.get_running_loop().call_later(0.5, stop.request, Interrupted(2))
    result = await run_job(job(tmp_path / "c.jsonl"), source=Listed(40, release.wait), stop=stop)
    release.set()
    assert result.exit_code == 130
    # 32 were handed over as a batch; the rest is in the batch that hangs.
    assert len(captions("jsonl", tmp_path / "c.jsonl")) == 32


async def test_stopping_while_a_long_listing_is_gone_through_again(tmp_path):
    output = tmp_path / "captions.jsonl"
    await run_job(job(output), source=Listed(200))
    stop, seen = Stop(), []

    class Slow(Listed):
        def samples(self):
            for sample in super().samples():
                time.sleep(0.02)
                seen.append(sample)
                yield sample

    asyncio.get_running_loop().call_later(0.2, stop.request, Interrupted(2))
    result = await run_job(job(output), source=Slow(200), stop=stop)
    assert len(seen) < 200
    assert result.exit_code == 130
    assert result.counts.captions == 200
    assert len(captions("jsonl", output)) == 200


async def test_a_cancelled_call_leaves_everything_to_go_on_with(tmp_path):
    output = tmp_path / "captions.jsonl"
    task = asyncio.create_task(run_job(job(output, model="fake:latency=0.05,slots=4"), source=Listed(100)))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await run_job(job(output), source=Listed(100), stop=None)
    assert again.counts.captions == 100
    assert 0 < again.fresh.captions < 100
    assert len(captions("jsonl", output)) == 100


async def test_progress_tells_where_the_run_is(tmp_path):
    seen = []
    await run_job(
        job(tmp_path / "c.jsonl", model="fake:latency=0.02,slots=8"), source=Listed(100), progress=seen.append
    )
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == seen[-1].captions == 100
    assert max(p.in_flight for p in seen) >= 8
    assert any(p.rate > 0 for p in seen)


async def test_a_budget_error_is_a_stop_not_a_crash(tmp_path):
    stop = Stop()
    stop.request(RunStopped("no more"))
    result = await run_job(job(tmp_path / "c.jsonl"), source=Listed(10), stop=stop)
    assert result.exit_code == 3
    assert result.fresh.total == 0
