"""Parameters in one text: read, checked for the model, and never a second say."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import cutline
from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.credentials import Secret
from cutline.engine.fingerprint import Fingerprint
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.options import ModelOptions
from cutline.parameters import COMMON, parse
from cutline.service.caption_options import CaptionOptions
from cutline.service.routes.completion_request import ChatBody
from processes import cutline_here
from server_process import Server


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("max_tokens=512, temperature=0.30", {"max_tokens": 512, "temperature": 0.3}),
        ("max_tokens=512,temperature=0.30,", {"max_tokens": 512, "temperature": 0.3}),
        ("  top_p = 1  ", {"top_p": 1}),
        ('stop=["a, b=1", "c=d"], seed=-1', {"stop": ["a, b=1", "c=d"], "seed": -1}),
        ("stop=END, skip_special_tokens=True", {"stop": "END", "skip_special_tokens": True}),
        ("stop=one two, seed=1", {"stop": "one two", "seed": 1}),
        ("seed=007", {"seed": "007"}),
    ],
)  # fmt: skip
def test_reading(text: str, found: dict) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "=5",
        "max_tokens=",
        "max tokens=5",
        "5=max_tokens",
        ",",
        "a=1,,b=2",
        "stop=one, two",
        "a=1, b=",
    ],
)
def test_what_is_no_parameter(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"is not a parameter: write them as max_tokens=512, temperature=0\.30"
    ):
        parse(text)


JSON = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(-1e9, 1e9),
    st.booleans(),
    st.lists(st.text(max_size=9), max_size=3),
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), JSON, min_size=1, max_size=5))
def test_json_values_come_back(found: dict) -> None:
    text = ", ".join(f"{name}={json.dumps(value)}" for name, value in found.items())
    assert parse(text) == found


KOSMOS = "nvidia:microsoft/kosmos-2"
REFUSED = {
    "misspelt": (KOSMOS, "max_token=512", ("takes no max_token", "did you mean max_tokens?", "top_p, seed")),
    "unknown": ("openai:gpt-4o", "min_p=0.1", ("takes no min_p", "frequency_penalty")),
    "too hot": (KOSMOS, "temperature=1.5", ("temperature must be a number from 0 to 1", "not 1.5")),
    "too hot for Hugging Face": ("huggingface", "temperature=2.5", ("from 0 to 2",)),
    "too many tokens": (KOSMOS, "max_tokens=2000", ("a whole number from 1 to 1024",)),
    "no whole number": ("gemini", "max_tokens=1.5", ("a whole number from 1 up",)),
    "a word": ("openrouter:m", "temperature=warm", ("a number from 0 to 2", "'warm'")),
    "nothing": ("vllm:m", "top_p=0", ("above 0 and at most 1",)),
    "true": ("ollama", "seed=true", ("seed must be a whole number", "true")),
    "no such effort": ("openai", "reasoning_effort=huge", ("one of none, minimal, low",)),
    "not finite": ("nim", "temperature=1e999", ("a number from 0 to 2",)),
    "too long": ("nim", f"seed={10**30}", ("a whole number",)),
    "twice": ("nim", "seed=1, seed=2", ("names seed twice",)),
    "nobody's": ("pixels", "temperature=0.3", ("pixels takes no temperature", "it takes none")),
    "a local model's": ("blip", "typical_p=0.1", ("blip takes no typical_p", "num_beams")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_what_is_allowed(name: str) -> None:
    model, text, words = REFUSED[name]
    key = None if model in {"pixels", "blip"} else Secret("k")
    with pytest.raises(ConfigError) as raised:
        build_captioner(model, CaptionerOptions(key=key, options={"parameters": text}))
    for word in words:
        assert word in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"parameters": "temperature=0.3", "temperature": 0.3}, "--temperature too: keep one"),
        ({"parameters": "max_tokens=5", "max_tokens": 0}, "--max-tokens too"),
        ({"parameters": "min_p=0.1", "extra": {"min_p": 0.1}}, "--extra.min_p too"),
        ({"parameters": "rubbish"}, "not a parameter"),
    ],
)
def test_nothing_is_said_twice(model: dict, words: str) -> None:
    job = Job.from_dict({"input_path": "photos", "model": {"model": "vllm:m", **model}})
    with pytest.raises(ConfigError, match=words):
        job.check()


def test_it_means_the_same_as_options() -> None:
    """Captions begun with the one way of saying it can be gone on with by the other."""

    def fingerprint(**model: object) -> Fingerprint:
        job = Job(input_path="photos", model=ModelOptions(model="vllm:m", **model))
        return Fingerprint.of(job, model="vllm:m", prompt_ids=())

    together = fingerprint(parameters="max_tokens=512, temperature=0.30, min_p=0.1")
    apart = fingerprint(max_tokens=512, temperature=0.3, extra={"min_p": 0.1})
    assert together.differences(apart.to_json()) == []
    assert together.differences(fingerprint(max_tokens=512).to_json()) != []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    from PIL import Image

    (tmp_path / "photos").mkdir()
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "photos" / "teal.jpg")
    return tmp_path / "photos"


SAID = "max_tokens=512, temperature=0.30, top_k=7"


def sent(server: Server) -> dict:
    return {name: server.last.get(name) for name in ("max_tokens", "temperature", "top_k")}


@pytest.mark.parametrize("way", ["option", "job file", "Python", "step"])
def test_every_way_of_saying_it(scripted: Server, photo: Path, way: str) -> None:
    scripted.post("/script", {"content": "Teal."})
    out = photo.parent / "out.jsonl"
    command = ["caption", photo, out, "--endpoint", scripted.url]
    if way == "option":
        ran = cutline_here(*command, "--model", "vllm:m", "--parameters", SAID)
    elif way == "job file":
        file = photo.parent / "job.toml"
        cutline_here(*command, "--model", "vllm:m", "--parameters", SAID, "--save-job", file)
        assert f'parameters = "{SAID}"' in file.read_text()
        ran = cutline_here("run", file)
    elif way == "step":
        file = photo.parent / "chain.toml"
        file.write_text(f'[[step]]\nname = "one"\nmodel = "vllm:m"\nparameters = "{SAID}"\n')
        ran = cutline_here(*command, "--chain", file)
    else:
        result = cutline.caption(photo, out, model="vllm:m", endpoint=scripted.url, parameters=SAID)
        assert len(result) == 1
        assert sent(scripted) == {"max_tokens": 512, "temperature": 0.3, "top_k": 7}
        return
    assert ran.returncode == 0, ran.stderr
    assert sent(scripted) == {"max_tokens": 512, "temperature": 0.3, "top_k": 7}


def test_a_local_model_takes_them() -> None:
    """As its options: what cannot be sampled is refused by the model's own rules."""
    captioner = build_captioner(
        "blip", CaptionerOptions(options={"parameters": "max_tokens=20, num_beams=3"})
    )
    asyncio.run(captioner.aclose())


OUT_OF_RANGE = [
    ("max_tokens", -2),
    ("temperature", 2.5),
    ("temperature", -0.1),
    ("top_p", 0.0),
    ("top_p", 1.5),
    ("seed", 2**63),
]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_every_face_refuses_what_is_out_of_the_one_range(name, value):
    """The job, and so the command line and job files; REST; OpenAI's face; and what a captioner declares."""
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(ConfigError, match=f"^{option} must be "):
        Job(input_path=".", model=ModelOptions(**{name: value})).check()
    with pytest.raises(ValidationError, match=name):
        CaptionOptions(**{name: value})
    with pytest.raises(ValidationError, match=name):
        ChatBody(model="m", messages=[{"role": "user", "content": "a"}], **{name: value})
    with pytest.raises(ConfigError, match=name):
        build_captioner("fake", CaptionerOptions(options={"parameters": f"{name}={value}"}))
    assert not next(one for one in COMMON if one.name == name).fits(value)


def test_zero_max_tokens_leaves_the_limit_to_the_endpoint():
    Job(input_path=".", model=ModelOptions(max_tokens=0)).check()
