"""Models that stay loaded: ``cutline.load`` and its handle."""

from __future__ import annotations

import asyncio
import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

import cutline
from cutline import model_runtime
from cutline.errors import ConfigError, RunStopped
from processes import DEFAULTS
from server_process import Server

PLUGIN = """
from cutline import register_model

opened = []

@register_model("counting-opens")
class Counted:
    def __init__(self, max_tokens: int = 5) -> None:
        opened.append(self)

    def infer(self, prompt, image, image_name):
        return f"{len(opened)} opened"
"""


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(path)
    return paths


@pytest.fixture
def endpoint(servers: Callable[..., Server]) -> Server:
    server = servers("endpoint.py")
    server.post("/configure", DEFAULTS)
    return server


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    gc.collect()
    wait_for(lambda: model_runtime.runtime_in_use() is None)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def tasks() -> int:
    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return model_runtime._runtime.loop.run(count())


def test_a_handle_captions_one_picture_after_another(photos: list[Path]) -> None:
    with cutline.load("fake") as model:
        result = model.caption(photos[0])
        assert isinstance(result, cutline.CaptionResult)
        with Image.open(photos[0]) as image:
            forms = (str(photos[0]), photos[0].read_bytes(), bytearray(photos[0].read_bytes()), image)
            results = [model.caption(form) for form in forms]
        assert {one.caption for one in results[:3]} == {result.caption}
        assert (result.image, result.error, result.model) == (str(photos[0]), None, "fake")
        assert results[3].image == "picture-1"
        assert repr(model) == "<LoadedModel fake>"
    assert repr(model) == "<LoadedModel fake, closed>"
    for call in (model.caption, lambda image: next(model.map([image]))):
        with pytest.raises(ConfigError, match="fake is closed; load it again"):
            call(photos[0])
    model.close()


def test_options_of_one_picture(photos: list[Path], endpoint: Server) -> None:
    with cutline.load("m", endpoint=endpoint.url, prompt="What?", temperature=0.5) as model:
        model.caption(photos[0], max_tokens=7, prompt="Who?", language="German")
        text = endpoint.last["messages"][0]["content"][1]["text"]
        assert text.startswith("Who?")
        assert "German" in text
        assert (endpoint.last["max_tokens"], endpoint.last["temperature"]) == (7, 0.5)
        model.caption(photos[0])
        assert endpoint.last["messages"][0]["content"][1]["text"] == "What?"
        assert endpoint.last["max_tokens"] == 512
        with pytest.raises(ConfigError, match="temperature must be a number from 0 to 2"):
            model.caption(photos[0], temperature=9)
        with pytest.raises(ConfigError, match=r"no option 'max_token'.*max_tokens"):
            model.caption(photos[0], max_token=9)  # type: ignore[call-arg]
    with cutline.load("pixels") as model, pytest.raises(ConfigError, match="pixels does not support seed"):
        model.caption(photos[0], seed=1)
    with pytest.raises(ConfigError, match=r"load\(\) has no option 'image_limit'"):
        cutline.load("fake", image_limit=3)  # type: ignore[call-arg]


def test_map_keeps_the_order_and_never_stops_at_a_bad_picture(photos: list[Path], tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 99).save(tmp_path / "broken.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "broken.png").read_bytes()[:900])
    with Image.open(tmp_path / "broken.png") as broken, cutline.load("pixels") as model:
        images = [photos[0], tmp_path / "no.png", b"no picture", broken, None, "http://127.0.0.1:9/a.png"]
        results = list(model.map([*images, photos[1]]))
    kinds = [result.kind for result in results]
    assert kinds == [None, "missing", "unsupported", "decode", "unsupported", "blocked-address", None]
    assert [result.index for result in results] == list(range(7))
    assert all((result.caption is None) == (result.error is not None) for result in results)
    with cutline.load("pixels") as model, pytest.raises(ConfigError, match="cannot caption a int"):
        model.caption(7)  # type: ignore[arg-type]


def test_as_many_are_in_flight_as_there_are_slots(photos: list[Path], endpoint: Server) -> None:
    endpoint.post("/configure", {**DEFAULTS, "latency": 0.05})
    options = {"endpoint": endpoint.url, "max_concurrent_requests": 4}
    one, two = (cutline.load(f"endpoint:{name}", **options) for name in "ab")
    with one, two, ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda model: list(model.map(photos * 3)), (one, two)))
    assert [[result.image for result in some] for some in results] == [[str(p) for p in photos * 3]] * 2
    stats = httpx.get(endpoint.url.removesuffix("/v1") + "/stats").json()
    assert 3 <= stats["most_in_flight"] <= 4, "both share the limit of the endpoint"


def test_a_generator_is_read_a_few_pictures_ahead(photos: list[Path]) -> None:
    read = itertools.count()
    data = photos[0].read_bytes()
    total = 100_000

    def images() -> Iterator[bytes]:
        for _ in range(total):
            next(read)
            yield data

    with cutline.load("fake:slots=8") as model:
        results = model.map(images())
        ahead = 0
        for count, result in enumerate(itertools.islice(results, 3000), 1):
            assert result.index == count - 1
            ahead = max(ahead, int(repr(read)[6:-1]) - count)
        assert ahead <= 16
        results.close()
        wait_for(lambda: tasks() == 0)
        assert int(repr(read)[6:-1]) < 3020


def test_leaving_early_leaves_nothing_behind(photos: list[Path]) -> None:
    with cutline.load("fake:latency=30") as slow, cutline.load("fake") as quick:
        list(quick.map(photos))
        threads = threading.active_count()
        for _ in slow.map(itertools.chain([None], photos)):
            break
        for _ in quick.map(itertools.cycle(photos)):
            break
        wait_for(lambda: tasks() == 0)
        assert threading.active_count() <= threads


def test_closing_ends_a_map_that_runs(photos: list[Path]) -> None:
    model = cutline.load("fake:latency=30")
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(lambda: list(model.map(photos)))
        waiting = threads.submit(model.caption, photos[0])
        wait_for(lambda: tasks() >= 9)
        model.close()
        for future in (running, waiting):
            with pytest.raises(ConfigError, match="closed"):
                future.result(10)
    assert tasks() == 0


def test_threads_share_a_handle(photos: list[Path]) -> None:
    with cutline.load("fake:latency=0.01") as model, ThreadPoolExecutor(8) as threads:
        alone = {path: model.caption(path).caption for path in photos}
        results = list(threads.map(lambda path: (path, model.caption(path).caption), photos * 20))
        maps = list(threads.map(lambda _: [one.caption for one in model.map(photos)], range(8)))
    assert all(alone[path] == text for path, text in results)
    assert maps == [list(alone.values())] * 8


async def test_within_a_running_loop(photos: list[Path]) -> None:
    """As in a notebook, where a loop is already running: plain and asynchronous calls work."""

    async def images():
        for path in photos:
            await asyncio.sleep(0)
            yield path

    async with await cutline.aload("fake") as model:
        texts = [result.caption for result in model.map(photos)]
        assert [result.caption async for result in model.amap(photos)] == texts
        assert [result.caption async for result in model.amap(images())] == texts
        several = await asyncio.gather(*map(model.acaption, photos))
        assert [result.caption for result in several] == texts
        assert model.caption(photos[0]).caption == texts[0]
        assert cutline.caption(photos[0], model=model).caption == texts[0]
        assert (await cutline.acaption(photos[0], model=model)).caption == texts[0]
    with pytest.raises(ConfigError, match="closed"):
        await model.acaption(photos[0])
    await model.aclose()


async def test_a_cancelled_call_is_cancelled_in_the_background(photos: list[Path]) -> None:
    async with await cutline.aload("fake:latency=30") as model:
        call = asyncio.create_task(model.acaption(photos[0]))

        async def first() -> None:
            async for _ in model.amap(photos):
                break

        mapped = asyncio.create_task(first())
        await asyncio.sleep(0.2)
        for task in (call, mapped):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.2)
        assert await asyncio.to_thread(tasks) == 0


def test_a_model_is_loaded_once(photos: list[Path], tmp_path: Path) -> None:
    plugin = tmp_path / "counting_opens.py"
    plugin.write_text(PLUGIN)
    with cutline.load("counting-opens", plugin=plugin) as model:
        with cutline.load("counting-opens", plugin=plugin, prompt="short") as again:
            calls = [model.caption(photos[0]), again.caption(photos[1]), *again.map(photos)]
        calls.append(cutline.caption(photos[0], model="counting-opens", plugin=plugin))
        calls.append(cutline.caption(photos[0], model=model, prompt="Who?"))
        calls += [model.caption(photos[0], prompt="Who?")]
        assert {result.caption for result in calls} == {"1 opened"}
        for given in ({"model": model}, {"model": "counting-opens", "plugin": plugin}):
            several = cutline.caption(photos, tmp_path / "out.jsonl", existing="overwrite", **given)
            assert set(several.to_dict().values()) == {"1 opened"}
    assert cutline.caption(photos[0], model="counting-opens", plugin=plugin).caption == "2 opened"


def test_what_load_decides_cannot_be_given_again(photos: list[Path]) -> None:
    with cutline.load("fake") as model:
        for options in ({"endpoint": "http://x/v1"}, {"api_key": "k"}, {"timeout": 3.0}):
            with pytest.raises(ConfigError, match=r"pass it to load\(\)"):
                cutline.caption(photos, model=model, **options)  # type: ignore[call-overload]
        captions = cutline.caption(photos, model=model, max_tokens=3, trigger="ohwx")
        assert all(row["caption"].startswith("ohwx") for row in captions)


def test_a_handle_of_a_chain(photos: list[Path]) -> None:
    with cutline.load(steps={"describe": "fake", "refine": "fake"}) as model:
        result = model.caption(photos[0])
        assert [step["name"] for step in result.steps or []] == ["describe", "refine"]
        with pytest.raises(ConfigError, match="remove max_tokens"):
            model.caption(photos[0], max_tokens=3)


def test_an_endpoint_that_cannot_be_used_ends_the_map(photos: list[Path], endpoint: Server) -> None:
    endpoint.post("/configure", {**DEFAULTS, "key": "sk-RIGHT"})
    with cutline.load("openai:m", endpoint=endpoint.url, api_key="sk-WRONG") as model:
        with pytest.raises(RunStopped, match="not accepted"):
            list(model.map(photos))
        with pytest.raises(RunStopped):
            model.caption(photos[0])
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        cutline.load("openai:gpt-4o-mini")


def test_a_program_ends_without_closing(photos: list[Path]) -> None:
    use = f"""
import cutline
model = cutline.load("fake")
results = model.map([{str(photos[0])!r}] * 100)
print(next(results).caption)
"""
    ended = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "checksum" in ended.stdout


def test_one_picture_gives_one_result(photos: list[Path], tmp_path: Path) -> None:
    (result,) = {cutline.caption(form, model="fake").caption for form in (photos[0], photos[0].read_bytes())}
    assert result == cutline.caption([photos[0]], model="fake")[0]["caption"]
    with Image.open(photos[0]) as image:
        assert cutline.caption(image, model="pixels").error is None
    assert cutline.caption(b"no picture", model="pixels").kind == "unsupported"
    assert cutline.caption("http://127.0.0.1:9/a.png", model="pixels").kind == "blocked-address"
    assert isinstance(cutline.caption(photos[0], tmp_path / "out.jsonl", model="fake"), cutline.Captions)
    assert len(cutline.caption(tmp_path, model="fake", image_limit=3)) == 3


def test_one_picture_that_is_not_there_is_a_result_too(photos: list[Path], tmp_path: Path) -> None:
    missing = tmp_path / "no.jpg"
    for form in (missing, str(missing), missing.as_uri()):
        result = cutline.caption(form, model="fake")
        assert isinstance(result, cutline.CaptionResult)
        assert (result.kind, result.caption) == ("missing", None)
        assert "no.jpg" in (result.error or "")
    with cutline.load("fake") as model:
        assert model.caption(missing).kind == "missing"
    with pytest.raises(ConfigError, match="does not exist"):
        cutline.caption(missing, tmp_path / "out.jsonl", model="fake")
    with pytest.raises(ConfigError, match="does not exist"):
        cutline.caption(tmp_path / "no", model="fake")
    one = cutline.caption(photos[0], tmp_path / "one.jsonl", model="fake")
    assert one[0]["caption"] == cutline.caption(photos[0], model="fake").caption


def test_what_is_one_picture_and_what_is_not(photos: list[Path], tmp_path: Path) -> None:
    unnamed = tmp_path / "upload"
    unnamed.write_bytes(photos[0].read_bytes())
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "a.png").write_bytes(photos[0].read_bytes())
    for one in (unnamed, photos[0], photos[0].as_uri()):
        assert cutline.caption(one, model="fake").error is None
    for several in (tmp_path / "folder.jpg", f"{photos[0].parent}/*{photos[0].suffix}"):
        assert isinstance(cutline.caption(several, model="fake"), cutline.Captions)


def test_all_failures_are_there(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(150)]
    for output in (None, tmp_path / "out.jsonl"):
        captions = cutline.caption(paths, output, model="fake")
        assert [failure["key"] for failure in captions.failures] == [path.as_posix() for path in paths]
        assert {failure["kind"] for failure in captions.failures} == {"missing"}


def test_rows_as_a_data_frame(photos: list[Path]) -> None:
    captions = cutline.caption(photos, model="fake")
    frame = pytest.importorskip("pandas").DataFrame
    assert isinstance(captions.to_pandas(), frame)
    assert list(captions.to_pandas()["caption"]) == [row["caption"] for row in captions]


def test_without_pandas_the_message_names_it(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    captions = cutline.caption(photos, model="fake")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        captions.to_pandas()


def test_a_model_is_loaded_by_await_or_for_a_block():
    async def ask():
        async with cutline.aload("fake") as model:
            texts = [one.caption async for one in model.amap([b"1", b"2"])]
        with pytest.raises(ConfigError, match="is closed"):
            await model.acaption(b"1")
        again = await cutline.aload("fake")
        await again.aclose()
        return texts

    assert len(asyncio.run(ask())) == 2
    asyncio.run(cutline.aload("fake")).close()
    with pytest.raises(ConfigError, match="has no option 'promt', did you mean prompt"):
        cutline.load("fake", promt="x")


@pytest.mark.parametrize(
    ("wrong", "end"),
    [
        ("promt", "did you mean prompt?"),
        ("modle", "did you mean model?"),
        ("max_token", "did you mean max_tokens?"),
        ("zzzz", "help(cutline.CallOptions) lists them"),
    ],
)
def test_a_misspelt_option_has_one_suggestion(wrong, end):
    with pytest.raises(ConfigError) as caught:
        cutline.caption(b"1", **{wrong: "x"})
    assert str(caught.value).endswith(end)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("wrong", [None, 5, object(), "no/such.jpg"])
def test_what_is_no_picture_in_a_list_fails_by_itself(wrong):
    captions = cutline.caption([Image.new("RGB", (64, 64)), wrong], model="fake")
    assert len(captions) == 1
    (failure,) = captions.failures
    assert (
        ("there is no" in str(failure)) or ("cannot caption a" in str(failure)) or "missing" in str(failure)
    )


def test_map_shows_its_progress(photos: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[cutline.Progress] = []
    with cutline.load("fake") as model:
        results = list(model.map([*photos, "no/such.jpg"], progress=seen.append))
        assert [now.done for now in seen] == list(range(1, len(results) + 1))
        last = seen[-1]
        assert (last.total, last.captions, last.failures) == (len(results), len(photos), 1)
        assert list(model.map(iter(photos[:1]), progress=seen.append))
        assert (seen[-1].total, seen[-1].done) == (None, 1)
        capfd.readouterr()
        list(model.map(photos))
        assert capfd.readouterr().err == ""
        assert len(list(model.map(photos, progress=True))) == len(photos)


async def test_amap_shows_its_progress(photos: list[Path]) -> None:
    seen: list[cutline.Progress] = []
    async with cutline.aload("fake") as model:
        results = [one async for one in model.amap(photos, progress=seen.append)]
    assert [now.captions for now in seen] == list(range(1, len(results) + 1))
