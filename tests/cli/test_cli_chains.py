"""What can be said of chains on the command line, in files and from Python, and what is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from program import Run, rows

import cutline as package
from cutline.captioners.wrapper import Wrapper
from cutline.engine.assembly import chain_of
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.job import Job
from cutline.options import ModelOptions
from server_process import Server


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


@pytest.fixture
def experts(servers: Callable[..., Server]) -> Server:
    server = servers("experts.py")
    server.post("/forget", {})
    return server


ONE = '[[step]]\nname = "one"\nmodel = "fake"\n'
TWO = '[[step]]\nname = "two"\nmodel = "fake"\n'


def two(text: str) -> str:
    return f"{ONE}{TWO}prompt = '{text}'\n"


MISTAKES = {
    "not TOML": ("[[step", "the chain file chain.toml is not TOML: "),
    "no steps": ("caption = 'one'", "chain.toml has no steps: write a [[step]] table"),
    "no table": ("step = ['one']", "chain.toml has no steps"),
    "another key": (f"captoin = 'one'\n{ONE}", "'captoin' is not part of a chain"),
    "no name": ('[[step]]\nmodel = "fake"\n', "chain.toml, step 1: it has no name"),
    "no model": ('[[step]]\nname = "one"\n', "chain.toml, step 1: it has no model"),
    "a number": ('[[step]]\nname = "one"\nmodel = 3\n', "step 1: model must be a text, not 3"),
    "not yes or no": (f"{ONE}optional = 'no'\n", "step 1: optional must be true or false, not 'no'"),
    "a bad name": (ONE.replace("one", "o n e"), "'o n e' is not a name: a letter"),
    "previous": (ONE.replace("one", "previous"), "no step can be named previous"),
    "twice": (ONE + ONE, "two steps are named 'one'"),
    "no such caption": (
        f"caption = 'three'\n{ONE}{TWO}",
        "no step 'three' for the caption: the steps are one, two",
    ),
    "first needs another": (f"{ONE}prompt = '{{previous}}'\n", "step one: it is the first"),
    "a circle": (f"{ONE}prompt = '{{two}}'\n{TWO}prompt = '{{one}}'\n", "steps wait for each other ("),
    "itself": (two("{two}"), "steps wait for each other ("),
    "misspelt": (f"{ONE.replace('one', 'describe')}{TWO}prompt = '{{descibe}}'", "did you mean {describe}?"),
    "nearly previous": (two("{prevous}"), "did you mean {previous}?"),
    "another setting": (
        f"{ONE}temprature = 1\n",
        "step one has no setting 'temprature', did you mean temperature?; known are name",
    ),
    "not a step's": (f"{ONE}max_cost = 1\n", "step one has no setting 'max_cost'"),
    "a wrong type": (f"{ONE}max_tokens = 'many'\n", "step one: model.max_tokens: input should be"),
    "out of range": (f"{ONE}temperature = -1.0\n", "step one: temperature must be a number from 0 to 2"),
    "no such model": (ONE.replace("fake", "fkae"), "step one: 'fkae' names no provider, did you mean fake?"),
    "no key": (ONE.replace("fake", "openai"), "step one: openai needs a key: set OPENAI_API_KEY"),
    "an option it ignores": (
        f"{ONE.replace('fake', 'pixels')}seed = 3\n",
        "step one: pixels does not support seed=; remove it",
    ),
    "no such prompt": (
        f"{ONE}prompt = 'detialed'\n",
        "step one: there is no prompt 'detialed' in the library",
    ),
    "no such file": (f"{ONE}prompt = 'ask.json'\n", "step one: the prompt file ask.json does not exist"),
    "cannot be instructed": (
        ONE + TWO.replace("fake", "git"),
        "step two: git works best without instructions",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_chain_that_makes_no_sense_is_refused_in_one_line(
    mistake: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, cure = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Path("chain.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        package.caption(pictures, "out.jsonl", chain="chain.toml")
    assert cure in str(raised.value)
    assert "chain.toml" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["--chain", "c.toml", "--step", "a=fake"], "--chain and --step exclude each other"),
        (["--chain", "c.toml", "--model", "fake"], "--chain names the models; remove --model fake"),
        (["--step", "a=fake", "--model", "fake"], "--step names the models; remove --model fake"),
        (["--step", "a=fake", "--use-ngc"], "--step names the models; remove --model nvidia:"),
        (["--chain", "c.toml", "--prompt", "short"], "--chain has its own prompts"),
        (["--step", "a=fake", "--prompt", "short", "--prompt", "tags"], "--step takes one --prompt"),
        (["--step", "a"], "--step 'a' is not a step: write NAME=MODEL"),
        (["--step", "a="], "--step 'a=' is not a step: write NAME=MODEL"),
        (["--step", "=fake"], "--step: '' is not a name"),
        (["--step", "a=fake", "--step", "b=pixels"], "pixels does not follow instructions, so it cannot add"),
        (["--step", "a=fake", "--step", "a=pixels"], "two steps are named 'a'"),
        (["--step", "a=fake", "--step", "b=fkae"], "--step b: 'fkae' names no provider"),
        (["--chain", "c.toml"], "the chain file c.toml does not exist"),
        (
            ["--step", "a=fake", "--step", "b=pixels", "--temperature", "1"],
            "--step b: pixels does not support",
        ),
        (
            ["--step", "a=m", "--step", "b=fake", "--endpoint", "http://localhost:1/v1"],
            "--step b: fake has no endpoint",
        ),
    ],
)
def test_contradictions_are_refused_in_one_line(
    words: list[str], cure: str, cutline: Run, pictures: Path, tmp_path: Path
) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", *words)
    assert ran.code == 2
    assert cure in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()


CHAIN = """
caption = "refine"
[[step]]
name = "describe"
model = "a"
prompt = "ask.json"
extra = { min_p = 0.1 }
[[step]]
name = "refine"
model = "b"
[[step]]
name = "tags"
model = "c"
prompt = "tags"
optional = true
"""


@pytest.mark.parametrize("said", ["--step", "--chain"])
def test_a_saved_chain_runs_the_same(
    said: str, cutline: Run, pictures: Path, experts: Server, tmp_path: Path
) -> None:
    (tmp_path / "experts").mkdir()
    (tmp_path / "experts/ask.json").write_text('{"prompt_prefix": "What is in {stem}?"}')
    (tmp_path / "experts/chain.toml").write_text(CHAIN)
    words = {
        "--step": ["--step", "describe=a", "--step", "refine=b", "--prompt", "experts/ask.json"],
        "--chain": ["--chain", "experts/chain.toml"],
    }[said]
    command = [
        "caption",
        str(pictures),
        "out.jsonl",
        *words,
        "--endpoint",
        experts.url,
        "--temperature",
        "0.3",
    ]
    assert cutline(*command, "--save-job", "job.toml").code == 0
    saved = tomllib.loads((tmp_path / "job.toml").read_text())["model"]
    assert (saved.get("chain"), saved.get("step")) == (
        (None, ["describe=a", "refine=b"]) if said == "--step" else ("experts/chain.toml", None)
    )
    ran = cutline("run", "job.toml")
    assert ran.code == 0, ran.err
    asked = experts.get("/asked")
    assert len(asked) == (10 if said == "--step" else 15)
    assert {entry["text"] for entry in asked if entry["model"] == "a"} == {
        f"What is in {path.stem}?" for path in pictures.iterdir()
    }
    assert all(row["caption"].startswith("b sees picture") for row in rows(tmp_path / "out.jsonl"))
    assert cutline(*command).code == 0, "the options are the same job"
    assert len(experts.get("/asked")) == len(asked)


def test_each_service_gets_its_own_key_and_no_other(cutline: Run, pictures: Path, experts: Server) -> None:
    steps = "".join(
        f'[[step]]\nname = "{provider}"\nmodel = "{provider}:{provider}-1"\nprompt = "What?"\n'
        f'endpoint = "{experts.url}"\n'
        for provider in ("openai", "gemini", "vllm")
    )
    (Path(pictures).parent / "keys.toml").write_text(steps + '[[step]]\nname = "last"\nmodel = "fake"\n')
    words = ("caption", str(pictures), "out.jsonl", "--chain", str(pictures.parent / "keys.toml"))
    ran = cutline(*words, OPENAI_API_KEY="for-openai", GEMINI_API_KEY="for-gemini")
    assert ran.code == 0, ran.err
    assert {(entry["model"], entry["key"]) for entry in experts.get("/asked")} == {
        ("openai-1", "for-openai"),
        ("gemini-1", "for-gemini"),
        ("vllm-1", ""),
    }
    refused = cutline(*words, "--api-key", "for-one")
    assert refused.code == 2
    assert "--api-key is for one service, and this chain calls gemini at http://127" in refused.err
    assert "for-one" not in refused.err


def test_a_key_that_is_given_goes_to_the_only_service(
    cutline: Run, pictures: Path, experts: Server, tmp_path: Path
) -> None:
    (tmp_path / "chain.toml").write_text(
        f'[[step]]\nname = "one"\nmodel = "fake"\n[[step]]\nname = "two"\nmodel = "m"\nendpoint = "{experts.url}"\n'
    )
    ran = cutline("caption", str(pictures), "out.jsonl", "--chain", "chain.toml", "--api-key", "given")
    assert ran.code == 0, ran.err
    assert {entry["key"] for entry in experts.get("/asked")} == {"given"}
    (tmp_path / "chain.toml").write_text(ONE)
    ran = cutline("caption", str(pictures), "other.jsonl", "--chain", "chain.toml", "--api-key", "given")
    assert (ran.code, ran.err) == (
        2,
        "cutline: chain.toml: step one: fake needs no key: remove --api-key\n",
    )


def test_equal_captioners_are_built_once(tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text(f"{ONE}{TWO}{TWO.replace('two', 'three')}seed = 1\n")
    job = Job(input_path="in", model=ModelOptions(chain=str(tmp_path / "chain.toml")))
    one, two, three = (_innermost(step.captioner) for step in chain_of(job, None).steps)
    assert one is two
    assert two is not three


def _innermost(captioner: Captioner) -> Captioner:
    """The model that the pool shares, without what each of its users has for itself."""
    while isinstance(captioner, Wrapper):
        captioner = captioner.inner
    return captioner


def test_chains_from_python(pictures: Path, experts: Server) -> None:
    captions = package.caption(pictures, steps={"describe": "a", "refine": "b"}, endpoint=experts.url)
    assert len(captions) == 5
    for row in captions:
        assert row["caption"] == row["captions"]["refine"]
        assert row["captions"]["describe"].startswith("a sees picture")
    asked = [entry["text"] for entry in experts.get("/asked") if entry["model"] == "b"]
    assert all("\na sees picture" in text for text in asked)
