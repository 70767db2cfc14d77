"""One model on several devices: two processes on the CPU say what one says, and never outlive the program."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

import psutil
import torch
import transformers
from local_pictures import encoded, folder_of, picture
from tiny_families import FAMILIES

from cutline import registry
from cutline.batcher import Batcher
from cutline.captioners.transformers.captioner import TransformersCaptioner
from cutline.captioners.transformers.inputs import GenerationRequest
from cutline.captioners.transformers.settings import Generation, Placement
from cutline.captioners.transformers.tensor_parallel.model import TensorParallelModel, device_groups
from cutline.captioners.transformers.tensor_parallel.processes import ParallelSpec
from cutline.errors import ConfigError, RunStopped
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.prompts.prompt import Example, Part, Turn
from processes import PATIENCE, cutline, cutline_here, nothing_left, start_cutline, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

HERE = Path(__file__).parent
SPREAD = {"device": "cpu", "dtype": "float32", "tensor_parallel": 2}
OPTIONS = ("--device", "cpu", "--dtype", "float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's tiny model, made when it is first asked for."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = FAMILIES[name](tmp_path_factory.mktemp("model") / name)
        return made[name]

    return of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("pictures") / "drawn", 6)


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    with nothing_left(lambda: workers_of(psutil.Process())):
        yield


def workers_of(parent: psutil.Process) -> list[psutil.Process]:
    """The processes below ``parent`` that share a model."""
    found = []
    for child in parent.children(recursive=True):
        try:
            if "tensor_parallel.worker" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            pass
    return found


def captions(output: Path) -> dict[str, str]:
    rows = map(json.loads, output.read_text("utf-8").splitlines())
    return {row["image_id"]: row["caption"] for row in rows}


def made(folder: Path, **options: Any) -> TransformersCaptioner:
    captioner: TransformersCaptioner = registry.load("captioners", "hf")(str(folder), **options)
    return captioner


def spread_of(folder: Path) -> ParallelSpec:
    """The model of ``folder``, divided over two processes."""
    return ParallelSpec(
        folder=folder,
        family="llava",
        label="tiny",
        devices=("cpu", "cpu"),
        dtype="float32",
        generation=Generation(),
    )


async def say(captioner: TransformersCaptioner, prompts: list[Prompt]) -> list[Any]:
    """What the model says about picture 0, 1 …, asked each prompt."""
    calls = [
        captioner.caption(Picture(InlineBytes(encoded(number), "p")), prompt)
        for number, prompt in enumerate(prompts)
    ]
    return await asyncio.gather(*calls, return_exceptions=True)


def answers(captioner: TransformersCaptioner, prompts: list[Prompt]) -> list[Any]:
    async def asked() -> list[Any]:
        try:
            return await say(captioner, prompts)
        finally:
            await captioner.aclose()

    return asyncio.run(asked())


# The same words


def test_the_command_line_writes_the_same_captions(
    folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    model = ("--model", f"hf:{folder('qwen2-vl')}", *OPTIONS)
    one = cutline_here("caption", pictures, tmp_path / "one.jsonl", *model)
    two = cutline("caption", pictures, tmp_path / "two.jsonl", *model, "--tensor-parallel", "2")
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert captions(tmp_path / "two.jsonl") == captions(tmp_path / "one.jsonl")
    assert len(set(captions(tmp_path / "two.jsonl").values())) == 6
    assert "on cpu + cpu (float32)" in two.stderr


def text(words: str) -> Part:
    return Part(kind="text", text=words)


def test_prompts_of_every_form_reach_all_processes(folder: Callable[[str], Path]) -> None:
    """Worked example, system text, schema, unequal lengths, chance; here with two processes twice."""
    example = Example(image=encoded(9), mime="image/png", explanation="a small bird")
    one_turn = Turn(role="user", parts=(Part(kind="example", example=example), text("describe")))
    other_turn = Turn(role="user", parts=(Part(kind="target"), text("the sea")))
    prompts = [
        Prompt(prefix="a red"),
        Prompt(prefix="describe the sea", system="red stone boat"),
        Prompt(prefix="describe", example=example, suffix="a"),
        Prompt(prefix="describe", schema={"type": "object", "properties": {"tree": {"type": "string"}}}),
        Prompt(prefix="a {street} with braces"),
        Prompt(prefix="small", turns=(one_turn, Turn(role="assistant", parts=(text("a bird"),)), other_turn)),
        Prompt(prefix="red dog " * 1500),
    ]
    drawn = {"temperature": 2.0, "seed": 3}
    one = answers(made(folder("llava"), device="cpu", dtype="float32", **drawn), prompts)
    two = answers(made(folder("llava"), **{**SPREAD, "device": "cpu,cpu"}, **drawn, batch_size=2), prompts)
    assert [reply.text for reply in two[:6]] == [reply.text for reply in one[:6]]
    assert [reply.usage for reply in two[:6]] == [reply.usage for reply in one[:6]]
    assert (two[6].kind, str(two[6])) == ("prompt-too-long", str(one[6]))


def test_replicas_share_the_work(folder: Callable[[str], Path]) -> None:
    """``--device cpu,cpu``: two copies of the model, each asked by a thread of its own."""
    asked: dict[str, set[int]] = {}

    def note(module: Any, _: Any) -> None:
        if isinstance(module, transformers.LlavaForConditionalGeneration):
            asked.setdefault(threading.current_thread().name, set()).add(id(module))

    one = answers(made(folder("llava"), device="cpu", dtype="float32"), [Prompt()] * 12)
    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    two = answers(made(folder("llava"), device="cpu,cpu", dtype="float32", batch_size=1), [Prompt()] * 12)
    hook.remove()
    assert [reply.text for reply in two] == [reply.text for reply in one]
    assert len(asked) == 2
    assert len(set.union(*asked.values())) == 2


# When something goes wrong


def test_memory_that_one_process_lacks(folder: Callable[[str], Path]) -> None:
    """The processes are started again, the batch is split, and no picture is lost."""
    model = TensorParallelModel(
        spread_of(folder("llava")), program=(sys.executable, str(HERE / "worker_short_of_memory.py"))
    )
    model.start()

    async def asked() -> tuple[list[str], list[int]]:
        batching = Batcher([model.run], size=4)
        questions = [GenerationRequest(image=picture(number), prompt=Prompt()) for number in range(6)]
        said = await asyncio.gather(*map(batching.submit, questions))
        batching.close()
        return [answer.text for answer in said], batching.sizes

    try:
        said, sizes = asyncio.run(asked())
    finally:
        model.close()
    one = answers(made(folder("llava"), device="cpu", dtype="float32"), [Prompt()] * 6)
    assert said == [reply.text for reply in one]
    assert sizes == [2]


def test_a_process_that_is_killed(folder: Callable[[str], Path]) -> None:
    async def asked() -> tuple[list[Any], list[Any], list[psutil.Process]]:
        captioner = made(folder("llava"), **SPREAD)
        await captioner.open()
        try:
            odd = captioner.adjusted({"extra": {"num_baems": 3}})
            (refused,) = await say(odd, [Prompt()])
            assert isinstance(refused, ConfigError), "one question that cannot be asked ends nothing"
            first = await say(captioner, [Prompt()] * 2)
            assert [type(reply).__name__ for reply in first] == ["Reply"] * 2
            workers = workers_of(psutil.Process())
            workers[1].kill()
            return await say(captioner, [Prompt()] * 3), await say(captioner, [Prompt()]), workers
        finally:
            await captioner.aclose()

    replies, later, workers = asyncio.run(asked())
    for reply in (*replies, *later):
        assert isinstance(reply, RunStopped)
        assert "cannot continue: process 2 of 2 was killed by SIGKILL" in str(reply)
        assert "\n" not in str(reply)
    assert not any(process.is_running() for process in workers)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("blip", {}, "transformers has no plan for dividing blip over several devices"),
        ("qwen3-vl", {}, "try --parallel-engine deepspeed"),
        ("llava", {"tensor_parallel": 3}, "the 2 heads of llava cannot be divided by --tensor-parallel 3"),
    ],
)
def test_models_that_cannot_be_divided(
    folder: Callable[[str], Path], name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        asyncio.run(made(folder(name), **{**SPREAD, **options}).open())
    assert "\n" not in str(caught.value)


def test_damaged_weights_and_a_program_that_dies(folder: Callable[[str], Path], tmp_path: Path) -> None:
    damaged = FAMILIES["llava"](tmp_path / "llava")
    (damaged / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"the weights in .*llava are damaged"):
        asyncio.run(made(damaged, **SPREAD).open())
    program = (sys.executable, "-c", "raise SystemExit('libwords.so.5: cannot open shared object file')")
    with pytest.raises(
        ConfigError, match=r"tiny cannot be divided over 2 processes: .*libwords.so.5"
    ) as caught:
        TensorParallelModel(spread_of(folder("llava")), program=program).start()
    assert "\n" not in str(caught.value)


# The program ends


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_no_process_outlives_the_program(
    folder: Callable[[str], Path], tmp_path: Path, how: signal.Signals
) -> None:
    pictures = folder_of(tmp_path / "pictures", 150)
    output = tmp_path / "captions.jsonl"
    arguments = ("caption", pictures, output, "--model", f"hf:{folder('llava')}", *OPTIONS)
    arguments += ("--tensor-parallel", "2", "--batch-size", "1", "--extra.min_new_tokens", "40")
    process = start_cutline(*arguments, "--extra.suppress_tokens", "[2]", "--max-tokens", "200")
    parent = psutil.Process(process.pid)
    wait_until(lambda: len(workers_of(parent)) == 2)
    workers = workers_of(parent)
    wait_until(lambda: any(path.stat().st_size > 2000 for path in tmp_path.glob("*.cutline/*")))
    process.send_signal(how)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130), err
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    assert "Traceback" not in err


def test_closing_while_the_model_is_loading(folder: Callable[[str], Path]) -> None:
    async def asked() -> None:
        captioner = made(folder("llava"), **SPREAD)
        loading = asyncio.create_task(captioner.open())
        while not workers_of(psutil.Process()):
            await asyncio.sleep(0.05)
        loading.cancel()
        await captioner.aclose()

    before = threading.active_count()
    asyncio.run(asked())
    wait_until(lambda: not workers_of(psutil.Process()) and threading.active_count() <= before)


def test_closing_ends_processes_that_never_finish_loading(folder: Callable[[str], Path]) -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)", "tensor_parallel.worker")
    model = TensorParallelModel(spread_of(folder("llava")), program=sleeper)
    with ThreadPoolExecutor() as threads:
        loading = threads.submit(model.start)
        wait_until(lambda: len(workers_of(psutil.Process())) == 2)
        model.close()
        with pytest.raises(RunStopped, match="tiny was closed"):
            loading.result(60)
    assert not workers_of(psutil.Process())


# Which devices


@pytest.mark.parametrize(
    ("devices", "options", "places"),
    [
        ("cpu", {}, ["cpu cpu"]),
        ("cuda:0 cuda:1", {}, ["cuda:0 cuda:1"]),
        ("cuda:0 cuda:1 cuda:2 cuda:3", {}, ["cuda:0 cuda:1", "cuda:2 cuda:3"]),
        ("cuda:0 cuda:1 cuda:2", {}, ["cuda:0 cuda:1"]),
        ("cuda:2 cuda:3", {"device": "cuda:2,cuda:3"}, ["cuda:2 cuda:3"]),
        (
            "cuda:0 cuda:1 cuda:2",
            {"device": "cuda:0,cuda:1,cuda:2"},
            "names 3 GPUs, which --tensor-parallel 2",
        ),
        ("cuda:0", {}, "needs 2 GPUs, and there is 1"),
        ("mps", {}, "needs GPUs of one kind"),
        ("cuda:0 cpu", {}, "needs GPUs of one kind"),
        ("cpu", {"quantize": "4bit"}, "exclude each other"),
        ("cpu", {"tensor_parallel": 0}, "must be greater than 0"),
        ("cpu", {"tensor_parallel": 1, "parallel_engine": "deepspeed"}, "has no effect alone"),
    ],
)
def test_places(devices: str, options: dict[str, Any], places: list[str] | str) -> None:
    placing = Placement(**{"tensor_parallel": 2, **options})
    if isinstance(places, str):
        with pytest.raises(ConfigError, match=places):
            device_groups(tuple(devices.split()), placing)
    else:
        assert [" ".join(group) for group in device_groups(tuple(devices.split()), placing)] == places


# DeepSpeed


@pytest.mark.parametrize("name", ["qwen2-vl", "qwen3-vl", "florence-2"])
def test_deepspeed_says_the_same(folder: Callable[[str], Path], name: str) -> None:
    pytest.importorskip("deepspeed", reason="the extra deepspeed is not installed")
    prompts = [made(folder(name), device="cpu").profile.default_prompt] * 3
    one = answers(made(folder(name), device="cpu", dtype="float32"), prompts)
    two = answers(made(folder(name), **SPREAD, parallel_engine="deepspeed"), prompts)
    assert [reply.text for reply in two] == [reply.text for reply in one]
