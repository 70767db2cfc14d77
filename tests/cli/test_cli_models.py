"""``cutline models`` and ``cutline models check``."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest
from program import Run

from cutline import registry
from cutline.captioners.hosted.presets import PRESETS
from processes import cutline_here
from server_process import Server

KEY = "sk-secret-0123456789"


@dataclasses.dataclass(frozen=True)
class Case:
    """A check of ``openai:gpt-4o-mini`` at an endpoint with these settings, and words of its answer."""

    settings: dict
    says: tuple[str, ...]
    key: str = KEY
    code: int = 1
    more: tuple[str, ...] = ()


CASES = {
    "fine": Case({}, ("✓ openai:gpt-4o-mini replied in", "A test caption"), code=0),
    "wrong key": Case({"key": "another"}, ("✗ openai", "401", "OPENAI_API_KEY")),
    "no credit": Case({"fault": {"quota": 1}}, ("no credit left",)),
    "unknown model": Case({"fault": {"404": 1}}, ("'gpt-4o-mini'", "/v1", "lists test-model")),
    "no pictures": Case({"fault": {"400": 1}}, ("400", "lists test-model")),
    "too slow": Case({"fault": {"hang": 1}}, ("within 0.5 s", "--timeout"), more=("--timeout", "0.5")),
    "busy": Case({"fault": {"429": 1}}, ("429",), more=("--timeout", "0.5")),
    "broken": Case({"fault": {"500": 1}}, ("500",)),
    "not an API": Case({"fault": {"malformed": 1}}, ("no JSON",)),
    "silent": Case({"fault": {"empty": 1}}, ("empty",)),
}


def test_a_model_of_a_file_can_be_asked_about(cutline: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from cutline import register_model\n\n@register_model('mine')\nclass Mine:\n"
        "    def infer(self, prompt, image, image_name):\n        return 'A caption.'\n"
    )
    ran = cutline("models", "mine", "--plugin", "mine.py")
    assert ran.code == 0, ran.err
    assert "--max-concurrent-requests" in ran.out
    assert "--concurrency" not in ran.out
    unknown = cutline("caption", ".", "out.jsonl", "--model", "mine")
    assert unknown.code == 2
    assert "--plugin FILE" in unknown.err
    assert "openai:gpt-4o-mini, ollama:llava:7b or blip (`cutline models` lists all)" in unknown.err
    other = cutline("caption", ".", "out.jsonl", "--model", "nobody", "--plugin", "mine.py")
    assert "blip or mine" in other.err, "those that are here besides ours are few, and named"
    hub = cutline("caption", ".", "out.jsonl", "--model", "Qwen/Qwen2-VL-2B-Instruct")
    assert "hf:Qwen/Qwen2-VL-2B-Instruct to run it here" in hub.err


@pytest.mark.parametrize("name", CASES)
def test_check(cutline: Run, endpoint: Server, name: str) -> None:
    case = CASES[name]
    endpoint.post("/configure", case.settings)
    ran = cutline(
        *("models", "check", "openai:gpt-4o-mini", "--endpoint", endpoint.url, *case.more),
        OPENAI_API_KEY=case.key,
    )
    assert ran.code == case.code, ran
    assert ran.out.count("\n") == 1, "one line, however long"
    assert ran.err == ""
    for words in case.says:
        assert words in ran.out
    assert KEY not in ran.out


def test_check_without_key(cutline: Run) -> None:
    ran = cutline("models", "check", "gemini")
    assert (ran.code, ran.err, ran.out.count("\n")) == (1, "", 1)
    assert "GEMINI_API_KEY" in ran.out
    assert "--api-key" in ran.out


def test_check_of_what_is_not_there(cutline: Run) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        ran = cutline("models", "check", "nim", "--endpoint", url)
    assert (ran.code, ran.err, ran.out.count("\n")) == (1, "", 1)
    assert "is the server running?" in ran.out


def test_check_of_the_embedded_captioner(cutline: Run) -> None:
    ran = cutline("models", "check", "pixels")
    assert ran.code == 0
    assert "✓ pixels replied" in ran.out
    assert "red" in ran.out


@pytest.mark.parametrize("columns", [80, 120])
def test_list_fits_the_terminal(cutline: Run, columns: int) -> None:
    ran = cutline("models", COLUMNS=str(columns), TOGETHER_API_KEY=KEY)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= columns
    marks = {
        line.split()[1]: line[0] for line in lines if line[:1] in {"✓", "✗", "?", "↓"} and line[3:4] != " "
    }
    assert {*registry.names("captioners"), *PRESETS} - {"endpoint"} <= marks.keys()
    assert (marks["pixels"], marks["nim"], marks["openai"], marks["together"]) == ("✓", "?", "✗", "✓")
    assert KEY not in ran.out
    assert ("OpenRouter" in ran.out) == (columns == 120), "what each is, where there is room"
    tables = lines[
        : lines.index("$ in/out: US dollars per million tokens of prompt and completion, where known")
    ]
    heads = ("built in", "on this machine", "at a service", "default models", "   name ")
    broken = [line for line in tables if line and not line.startswith((*heads, *"✓✗?↓"))]
    assert not broken or columns > 80, "a row is a line"
    for model in ("gpt-4o-mini", "nvidia/llama-3.1-nemotron-nano-vl-8b-v1"):
        assert any(line.split(" ")[-1] == model for line in map(str.rstrip, lines)), "no name is broken"
    line = next(line for line in lines if line[3:].startswith("openai "))
    for words in ("OPENAI_API_KEY", "hosted only", "0.15/0.60"):
        assert words in line


def test_local_models_and_what_they_need(cutline: Run, tmp_path: Path) -> None:
    """Size and licence of each; a model that is here is told apart from one to be downloaded."""
    nothing = cutline("models", COLUMNS="160", HF_HOME=str(tmp_path))
    (line,) = [line for line in nothing.out.splitlines() if line[3:].startswith("blip ")]
    for words in ("base 0.99", "large 1.88", "BSD-3-Clause"):
        assert words in line
    snapshot = tmp_path / "hub" / "models--Salesforce--blip-image-captioning-base" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    for file, words in (("config.json", "base 0.99"), ("model.safetensors", "base (downloaded)")):
        (snapshot / file).write_text("{}")  # a download that broke off has no weights
        here = cutline("models", COLUMNS="160", HF_HOME=str(tmp_path))
        (line,) = [line for line in here.out.splitlines() if line[3:].startswith("blip ")]
        assert words in line
    assert line.startswith("✓")


CARDS = {
    "git": ("microsoft/git-base-coco", "MIT", "--max-tokens"),
    "nvidia:nvidia/vila": (
        "microsoft/kosmos-2",
        "CC BY-NC-SA 4.0",
        "NVIDIA_API_KEY (set)",
        "max_tokens to 1024",
    ),
    "openai": (
        "gpt-4o-mini (default)",
        "0.15/0.60",
        "OPENAI_API_KEY (not set)",
        "temperature: a number from 0 to 2",
    ),
    "ollama": ("ollama serve", "free", "llava:7b (default)"),
    "pixels": ("measures light", "pixels:ocr also reads the text"),
}


@pytest.mark.parametrize("name", CARDS)
def test_all_that_is_known_of_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {"COLUMNS": "160", "NVIDIA_API_KEY": KEY, "OPENAI_API_KEY": ""}.items():
        monkeypatch.setenv(variable, value)
    ran = cutline_here("models", name)
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in CARDS[name]:
        assert words in ran.stdout
    assert KEY not in ran.stdout


@pytest.mark.parametrize(
    ("words", "meant"), [(["gti"], "git"), (["olama"], "ollama"), (["chek", "openai"], "check")]
)
def test_a_misspelt_provider(words: list[str], meant: str) -> None:
    ran = cutline_here("models", *words)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert f"did you mean {meant}?" in ran.stderr
    assert "cutline models check NAME" in ran.stderr


def test_the_interrogator_is_not_ready_without_its_models(cutline: Run, tmp_path: Path) -> None:
    """Which are downloads as those of any other; without torch or the label files it lacks more."""
    listed = cutline("models", HF_HOME=str(tmp_path))
    line = next(line for line in listed.out.splitlines() if " interrogator " in line)
    assert line[0] in "↓✗"
    card = cutline("models", "interrogator", HF_HOME=str(tmp_path)).out
    assert "after a download" in card or "pip install" in card
    for words in ("openai/clip-vit-large-patch14", "1.71 GB", "BSD-3-Clause", "caption=MODEL"):
        assert words in card


def test_check_of_all_that_is_set_up(cutline: Run) -> None:
    ran = cutline("models", "check", "--timeout", "20", OPENAI_API_KEY="no blanks are in a key")
    lines = ran.out.splitlines()
    marks = {line.split()[1].rstrip(":"): line[0] for line in lines}
    assert (marks["pixels"], marks["gemini"], marks["together"]) == ("✓", "-", "-")
    assert marks["openai"] == "✗", "it is set up, but cannot work"
    assert ran.code == 1
    assert marks.keys() == {"pixels", *PRESETS} - {"endpoint"}
    assert all("GEMINI_API_KEY" in line for line in lines if line.startswith("- gemini"))


def test_check_of_several(cutline: Run, endpoint: Server) -> None:
    endpoint.post("/configure", {"key": KEY})
    models = ["openai:gpt-4o-mini", "test-model"]
    ran = cutline("models", "check", *models, "--endpoint", endpoint.url, OPENAI_API_KEY=KEY)
    assert [line[:9] for line in ran.out.splitlines()] == ["✓ openai:", "✗ endpoin"]
    assert ran.code == 1
    refused = cutline("models", "check", *models, "--endpoint", endpoint.url, "--api-key", KEY)
    assert (refused.code, refused.out) == (2, "")
    assert "check them one by one" in refused.err


def test_check_with_a_key_from_a_file(
    cutline: Run, endpoint: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.post("/configure", {"key": KEY})
    (tmp_path / "key.txt").write_text(f"\n{KEY}\n")
    command = ["models", "check", "openai", "--endpoint", endpoint.url]
    assert cutline(*command, "--api-key-file", "key.txt").code == 0
    assert endpoint.last_headers["Authorization"] == f"Bearer {KEY}"
    (tmp_path / "two.txt").write_text(f"{KEY}\nanother line\n")
    (tmp_path / "empty.txt").write_text("\n")
    for more, words in {
        ("--api-key-file", "gone.txt"): "gone.txt",
        ("--api-key-file", "empty.txt"): "empty",
        ("--api-key-file", "two.txt"): "line break",
        ("--api-key-file", "key.txt", "--api-key", KEY): "exclude each other",
    }.items():
        monkeypatch.chdir(tmp_path)
        refused = cutline_here(*command, *more)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert words in refused.stderr
        assert KEY not in refused.stderr


def test_list_of_prompts_fits_the_terminal(cutline: Run) -> None:
    ran = cutline("prompts", COLUMNS="80")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    for name in ("alt-text", "describe", "fields", "training-tags"):
        assert any(line.startswith(name) for line in ran.out.splitlines())


def test_a_prompt_is_shown_as_it_is_sent(cutline: Run) -> None:
    ran = cutline("prompts", "show", "What is it?")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == ["[the picture]", "What is it?"]


@pytest.mark.parametrize("name", ["a..b", f"{'a' * 64}.example"])
def test_an_endpoint_whose_name_cannot_be_one(cutline: Run, name: str) -> None:
    ran = cutline("models", "check", "m", "--endpoint", f"http://{name}/v1")
    assert ran.code == 1
    assert f"http://{name}/v1 is not a URL; pass --endpoint http://host:port/v1" in ran.out
    assert "Traceback" not in ran.err
