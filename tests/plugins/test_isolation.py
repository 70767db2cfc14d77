"""Models that raise, block or give up: one picture pays, the run continues and ends in its time."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

import cutline
from cutline.captioners.plugins import isolation
from cutline.errors import EndpointUnusable, ReplyError, Retryable
from processes import PATIENCE, start_cutline, wait_until
from processes import cutline as program


def number_of(image_name):
    return int(image_name[-6:-4])


def outcomes(result):
    """Caption or kind of failure for each picture."""
    said = {row["image_id"]: row["caption"] for row in result}
    return {**said, **{failure["key"]: failure["kind"] for failure in result.failures}}


# Raising


ERRORS = [
    ValueError("no\nwords"),
    SystemExit(3),
    KeyboardInterrupt(),
    StopIteration("s"),
    TimeoutError("t"),
    GeneratorExit(),
    RecursionError("deep"),
]


@pytest.mark.parametrize("form", ["infer", "infer_batch", "caption"])
def test_whatever_is_raised_fails_that_picture_alone(form, photos):
    def answer(name):
        number = number_of(name)
        if number < len(ERRORS):
            raise ERRORS[number]
        return "A caption."

    class Raising:
        slots = 2

    if form == "infer":
        Raising.infer = lambda self, prompt, image, image_name: answer(image_name)
    elif form == "infer_batch":
        Raising.infer_batch = lambda self, prompts, images, image_names: list(map(answer, image_names))
    else:

        async def caption(self, picture, prompt):
            return answer(picture.path)

        Raising.caption = caption
    cutline.register_model("raising")(Raising)
    result = cutline.caption(photos(10), model="raising")
    assert result.report.counts.captions == 3
    messages = {failure["key"]: failure["message"] for failure in result.failures}
    assert {failure["kind"] for failure in result.failures} == {"captioner"}
    assert len(messages) == len(ERRORS)
    assert messages["00.png"].startswith("ValueError: no words (test_isolation.py, line ")
    assert messages["01.png"].startswith("SystemExit: 3")


def test_errors_of_cutline_keep_their_meaning(photos):
    asked = []

    class Meaning:
        def infer(self, prompt, image, image_name):
            asked.append(number_of(image_name))
            if number_of(image_name) == 0:
                raise ReplyError("refused", "not this one")
            if number_of(image_name) == 1 and asked.count(1) == 1:
                raise Retryable("endpoint", "busy")
            return "A caption."

    cutline.register_model("meaning")(Meaning)
    result = cutline.caption(photos(3), model="meaning", retry_delay=0.01)
    assert outcomes(result) == {"00.png": "refused", "01.png": "A caption.", "02.png": "A caption."}
    assert asked.count(1) == 2


def test_a_model_can_end_the_run(photos):
    class Ending:
        def infer(self, prompt, image, image_name):
            raise EndpointUnusable("the licence has run out")

    cutline.register_model("ending")(Ending)
    result = cutline.caption(photos(3), model="ending")
    assert str(result.report.stopped) == "the licence has run out"


def test_a_model_that_cannot_be_loaded_ends_with_one_line(plugin, photos, tmp_path):
    path = plugin("""
        @register_model("broken")
        class Broken:
            def __init__(self):
                raise OSError("no weights in /models")

            def infer(self, prompt, image, image_name): ...
    """)
    done = program("caption", photos(2), tmp_path / "o.jsonl", "--model", "broken", "--plugin", path)
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert (
        said[-1] == "cutline: broken cannot be loaded: OSError: no weights in /models (my_models.py, line 7)"
    )
    assert "Traceback" not in done.stderr


def test_the_log_has_the_whole_story_when_asked(plugin, photos, tmp_path):
    path = plugin("""
        @register_model("odd")
        class Odd:
            def infer(self, prompt, image, image_name):
                return [][image.width]
    """)
    arguments = ("caption", photos(1), tmp_path / "o.jsonl", "--model", "odd", "--plugin", path)
    quiet = program(*arguments)
    assert "Traceback" not in quiet.stderr
    assert "return [][image.width]" in program(*arguments, "--retry-failed", "--verbose").stderr


# Blocking


@pytest.mark.parametrize("form", ["infer", "infer_batch", "caption"])
def test_no_call_is_begun_after_the_signal(form, plugin, photos, tmp_path):
    calls = tmp_path / "calls"
    bodies = {
        "infer": "threads = 2\n            def infer(self, prompt, image, image_name): return told(1)",
        "infer_batch": (
            "batch_size = 2\n            def infer_batch(self, prompts, images, image_names):"
            " return [told(1 / len(images)) for _ in images]"
        ),
        "caption": "slots = 2\n            async def caption(self, picture, prompt): return await waited()",
    }
    path = plugin(f"""
        def told(seconds):
            open({str(calls)!r}, "a").write("x")
            time.sleep(seconds)
            return "A caption."

        async def waited():
            open({str(calls)!r}, "a").write("x")
            await asyncio.sleep(1)
            return "A caption."

        @register_model("slow")
        class Slow:
            {bodies[form]}
    """)
    output = tmp_path / "c.jsonl"
    process = start_cutline("caption", photos(30), output, "--model", "slow", "--plugin", path)
    wait_until(lambda: calls.exists() and calls.stat().st_size >= 3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, errors
    assert calls.stat().st_size <= 6, "those under way, and no others"
    assert len(output.read_text().splitlines()) == calls.stat().st_size


BLOCKING = """
    def block(name):
        open(name + ".blocked", "w").close()
        time.sleep(600)

    @register_model("blocking")
    class Blocking:
        def infer(self, prompt, image, image_name):
            if image_name.endswith("02.png"):
                block(image_name)
            return "A caption."

    @register_model("blocking-batches")
    class BlockingBatches:
        batch_size = 4

        def infer_batch(self, prompts, images, image_names):
            if any(name.endswith("02.png") for name in image_names):
                time.sleep(600)
            return ["A caption."] * len(images)

    @register_model("blocking-loop")
    class BlockingLoop:
        slots = 4

        async def caption(self, picture, prompt):
            await asyncio.sleep(0.01)
            if picture.path.endswith("02.png"):
                block(picture.path)
            await asyncio.sleep(0.01)
            return "A caption."

    @register_model("hanging")
    class Hanging:
        slots = 4

        async def caption(self, picture, prompt):
            if picture.path.endswith("02.png"):
                await asyncio.sleep(600)
            return "A caption."

    @register_model("hanging-at-the-end")
    class HangingAtTheEnd:
        async def caption(self, picture, prompt):
            if picture.path.endswith("02.png"):
                raise ValueError
            return "A caption."

        async def aclose(self):
            time.sleep(600)
"""


@pytest.mark.parametrize(
    "model", ["blocking", "blocking-batches", "blocking-loop", "hanging", "hanging-at-the-end"]
)
def test_a_call_that_never_comes_back_fails_alone_and_the_program_ends(model, plugin, photos, tmp_path):
    output = tmp_path / "out.jsonl"
    start = time.monotonic()
    done = program(
        *("caption", photos(8), output, "--model", model, "--plugin", plugin(BLOCKING)),
        *("--timeout", 2, "--max-retries", 0),
    )
    assert time.monotonic() - start < 200
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["image_id"] for row in rows] == [f"{number:02}.png" for number in (0, 1, 3, 4, 5, 6, 7)]
    (failure,) = [
        json.loads(line) for line in (tmp_path / "out.jsonl.failures.jsonl").read_text().splitlines()
    ]
    assert failure["key"] == "02.png"
    assert failure["kind"] == ("captioner" if model == "hanging-at-the-end" else "timeout")
    if model == "blocking-loop":
        assert "blocked its event loop" in failure["message"]


def test_too_many_calls_that_do_not_come_back_end_the_run(photos):
    freed = threading.Event()

    class Stuck:
        def infer(self, prompt, image, image_name):
            freed.wait(500)

    cutline.register_model("stuck")(Stuck)
    result = cutline.caption(photos(20), model="stuck", timeout=0.05)
    assert "calls of stuck did not return within 0.05 s" in str(result.report.stopped)
    assert result.report.counts.failures == isolation.MAX_LOST_CALLS
    freed.set()


def test_calls_that_come_back_late_are_not_held_against_it(photos):
    class Late:
        def infer(self, prompt, image, image_name):
            time.sleep(0.75 if number_of(image_name) % 2 else 0)
            return "A caption."

    cutline.register_model("late")(Late)
    late = isolation.MAX_LOST_CALLS + 2
    result = cutline.caption(photos(2 * late), model="late:", timeout=0.5)
    assert result.report.stopped is None
    assert result.report.counts.failures == late


@pytest.mark.parametrize("model", ["blocking-loop"])
def test_ctrl_c_ends_it_while_it_blocks_and_the_same_command_goes_on(model, plugin, photos, tmp_path):
    output = tmp_path / "out.jsonl"
    folder = photos(6)
    arguments = ("caption", folder, output, "--model", model, "--plugin", plugin(BLOCKING))
    process = start_cutline(*arguments)
    wait_until((folder / "02.png.blocked").exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in errors
    plugin(BLOCKING.replace("time.sleep(600)", "pass"))
    done = program(*arguments)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["image_id"] for line in output.read_text().splitlines()] == [
        f"{number:02}.png" for number in range(6)
    ]


# Side by side, and in batches


@pytest.mark.parametrize(
    ("attribute", "wanted", "most"),
    [(None, None, 1), (None, 3, 3), (4, None, 4), (4, 2, 2), (2, 9, 2)],
)
def test_so_many_calls_run_at_once(attribute, wanted, most, photos):
    seen, together = [], threading.Barrier(most)

    class Parallel:
        if attribute is not None:
            threads = attribute

        def infer(self, prompt, image, image_name):
            seen.append(+1)
            together.wait(240)  # breaks, and fails the test, when fewer come
            now = sum(seen)
            seen.append(-1)
            return str(now)

    cutline.register_model("parallel")(Parallel)
    options = {"max_concurrent_requests": wanted} if wanted else {}
    result = cutline.caption(photos(4 * most), model="parallel", **options)
    assert not result.failures
    assert max(int(row["caption"]) for row in result) <= most


@pytest.mark.parametrize(("attribute", "wanted", "most"), [(None, None, 1), (None, 3, 3), (4, 2, 2)])
def test_so_many_calls_wait_at_once(attribute, wanted, most, photos):
    import asyncio

    seen = []

    class Waiting:
        if attribute is not None:
            slots = attribute

        async def caption(self, picture, prompt):
            seen.append(+1)
            await asyncio.sleep(0.05)
            now = sum(seen)
            seen.append(-1)
            return str(now)

    cutline.register_model("waiting")(Waiting)
    options = {"max_concurrent_requests": wanted} if wanted else {}
    result = cutline.caption(photos(3 * most), model="waiting", **options)
    assert max(int(row["caption"]) for row in result) == most


def test_waiting_pictures_are_gathered_into_batches(photos):
    sizes = []

    class Gathering:
        batch_size = 4

        def infer_batch(self, prompts, images, image_names):
            assert len({len(prompts), len(images), len(image_names)}) == 1
            sizes.append(len(images))
            time.sleep(0.02)
            return [f"Picture {number_of(name)}." for name in image_names]

    cutline.register_model("gathering")(Gathering)
    result = cutline.caption(photos(30), model="gathering")
    assert [row["caption"] for row in result] == [f"Picture {number}." for number in range(30)]
    assert sum(sizes) == 30
    assert max(sizes) <= 4
    sizes.clear()
    again = cutline.caption(photos_of(result), model="gathering", batch_size=10)
    assert len(again) == 30
    assert 4 < max(sizes) <= 10


def photos_of(result):
    return result[0]["image_path"].rpartition("/")[0]


@pytest.mark.parametrize("wrong", [None, "A text.", ["One."], 3])
def test_a_batch_of_the_wrong_shape_fails_its_pictures(wrong, photos):
    class Misshapen:
        def infer_batch(self, prompts, images, image_names):
            return wrong

    cutline.register_model("misshapen")(Misshapen)
    result = cutline.caption(photos(4), model="misshapen")
    if wrong == ["One."]:  # each alone is answered
        assert len(result) == 4
    else:
        assert {failure["kind"] for failure in result.failures} == {"captioner"}
        assert len(result.failures) == 4


# Beginning and end


def test_a_model_is_made_once_when_it_is_needed_and_closed_at_the_end(photos, tmp_path):
    events = []

    class Living:
        def __init__(self):
            events.append("made")

        def infer(self, prompt, image, image_name):
            return "A caption."

        def close(self):
            events.append("closed")

    cutline.register_model("living")(Living)
    folder = photos(3)
    cutline.caption(folder, tmp_path / "o.jsonl", model="living")
    assert events == ["made", "closed"]
    cutline.caption(folder, tmp_path / "o.jsonl", model="living")
    assert events == ["made", "closed"], "nothing was left to ask, so nothing was loaded"


@pytest.mark.parametrize("kind", ["infer", "caption"])
def test_a_model_that_fails_at_its_end_costs_no_caption(kind, photos, caplog):
    class Failing:
        def infer(self, prompt, image, image_name):
            return "A caption."

        def close(self):
            raise ValueError("cannot close")

    class FailingToo:
        async def caption(self, picture, prompt):
            return "A caption."

        async def aclose(self):
            raise ValueError("cannot close")

    cutline.register_model("failing")(Failing if kind == "infer" else FailingToo)
    assert len(cutline.caption(photos(2), model="failing")) == 2
    assert "cannot close" in caplog.text


def test_an_asynchronous_model_keeps_one_loop_from_its_making_to_its_end(photos):
    import asyncio

    loops = []

    class Waiting:
        slots = 3

        def __init__(self):
            loops.append(asyncio.get_running_loop())

        async def caption(self, picture, prompt):
            loops.append(asyncio.get_running_loop())
            await asyncio.sleep(0.001)
            return f"{len(picture.data)} bytes"

        async def aclose(self):
            loops.append(asyncio.get_running_loop())

    cutline.register_model("waiting")(Waiting)
    assert len(cutline.caption(photos(5), model="waiting")) == 5
    assert len(loops) == 7
    assert len(set(loops)) == 1
