"""What is asked, from the options to the request, and back to the output."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from program import COLOURS, Run, rows

from server_process import Server

SCHEMA = {
    "type": "object",
    "required": ["short", "tags"],
    "additionalProperties": False,
    "properties": {
        "short": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "people": {"type": "integer"},
    },
}
FIELDS = {"short": "A disc.", "tags": ["disc", "white"], "people": 0}

EXPLANATION = (
    'A: "Park moments: Dad, baby, and their furry friend":\n\n    Conciseness: The user requested it.'
)
TEMPLATE = {
    "system_prompt": "You are a helpful AI assistant. Wrap your final answer around the <caption> tag.",
    "prompt_prefix": "Describe the following image in detail:",
    "prompt_suffix": "Please provide a detailed caption for the image. \nQ:",
    "cot_prompt": {"image_path": "example_data/cot_image_example.jpg", "explanation": EXPLANATION},
    "regex": "<caption>.*</caption>",
}


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def ask(run: Run, pictures: Path, server: Server, *options: str, output: str = "out.jsonl") -> None:
    ran = run("caption", str(pictures / "gold.jpg"), output, "--nim-endpoint", server.url, *options)
    assert ran.code == 0, ran.err


def test_structured_captions(cutline: Run, pictures: Path, scripted: Server, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    scripted.post("/script", {"content": json.dumps(FIELDS)})
    ask(cutline, pictures, scripted, "--schema", "schema.json")
    assert scripted.last["guided_json"] == SCHEMA
    (row,) = rows(tmp_path / "out.jsonl")
    assert (row["caption"], row["fields"]) == ("A disc.", FIELDS)


def test_structured_captions_of_an_endpoint_that_enforces_nothing(
    cutline: Run, pictures: Path, scripted: Server, tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    scripted.post("/script", {"content": f"Sure! Here it is:\n```json\n{json.dumps(FIELDS)}\n```\nEnjoy."})
    ask(cutline, pictures, scripted, "--schema", "schema.json", "--schema-dialect", "none")
    assert scripted.last.keys() == {"model", "messages", "max_tokens", "stream"}
    system = scripted.last["messages"][0]
    assert system["role"] == "system"
    assert json.dumps(SCHEMA) in system["content"]
    assert rows(tmp_path / "out.jsonl")[0]["fields"] == FIELDS


def test_an_answer_that_does_not_keep_to_the_schema(
    cutline: Run, pictures: Path, scripted: Server, tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    scripted.post("/script", {"content": json.dumps({**FIELDS, "tags": "disc"})})
    command = ["caption", str(pictures / "gold.jpg"), "out.jsonl", "--schema", "schema.json"]
    ran = cutline(*command, "--nim-endpoint", scripted.url)
    assert ran.code == 1
    (failure,) = rows(tmp_path / "out.jsonl.failures.jsonl")
    assert failure["kind"] == "schema-miss"
    assert "tags" in failure["message"]


def test_several_prompts_per_picture(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    ran = cutline(
        *("caption", str(pictures), "out.jsonl", "--model", "fake"),
        *("--prompt", "brief=short", "--prompt", "tags", "--prompt", "what=What is it?"),
    )
    assert ran.code == 0, ran.err
    for row in rows(tmp_path / "out.jsonl"):
        assert [step["name"] for step in row["steps"]] == ["brief", "tags", "what"]
        assert list(row["captions"]) == ["brief", "tags", "what"]
        assert row["caption"] == row["captions"]["brief"]
        for name, text in row["captions"].items():
            assert text.endswith(f"prompted by {name}.")


def test_template_with_a_worked_example(
    cutline: Run, pictures: Path, scripted: Server, tmp_path: Path
) -> None:
    example = (pictures / "crimson.jpg").read_bytes()
    (tmp_path / "prompts" / "example_data").mkdir(parents=True)
    (tmp_path / "prompts" / "example_data" / "cot_image_example.jpg").write_bytes(example)
    (tmp_path / "prompts" / "caption.json").write_text(json.dumps(TEMPLATE))
    scripted.post("/script", {"content": "A: let me see.\n<caption>A gold\ncard.</caption> Done."})
    ask(cutline, pictures, scripted, "--prompt", "prompts/caption.json", output="out.parquet")

    system, user = scripted.last["messages"]
    assert system == {"role": "system", "content": TEMPLATE["system_prompt"]}
    assert user["role"] == "user"
    parts = [part.get("text") or part["image_url"]["url"] for part in user["content"]]
    assert parts[0] == TEMPLATE["prompt_prefix"]
    assert base64.b64decode(parts[1].partition(",")[2]) == example
    assert parts[2:4] == [EXPLANATION, TEMPLATE["prompt_suffix"]]
    assert base64.b64decode(parts[4].partition(",")[2]) == (pictures / "gold.jpg").read_bytes()

    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["caption"].to_pylist() == ["A gold\ncard."]
    assert Path(table["image_path"][0].as_py()).samefile(pictures / "gold.jpg")
    assert "let me see" in table["llm"][0].as_py()


def test_words_around_the_question_and_the_caption(
    cutline: Run, pictures: Path, scripted: Server, tmp_path: Path
) -> None:
    scripted.post("/script", {"content": "ein Bild"})
    ask(
        *(cutline, pictures, scripted, "--prompt", "What is {file_name}?", "--system-prompt", "Be brief."),
        *("--language", "German", "--trigger", "mystyle", "--caption-prefix", "Hier ist"),
        *("--caption-suffix", "!", "--top-p", "0.5", "--seed", "3", "--extra.min_p", "0.1"),
    )
    system, user = scripted.last["messages"]
    assert system["content"] == "Be brief."
    assert user["content"][0]["type"] == "image_url", "the picture comes before a plain question"
    assert user["content"][1]["text"] == "What is gold.jpg?\n\nWrite your answer in German."
    assert {name: scripted.last[name] for name in ("top_p", "seed", "min_p")} == {
        "top_p": 0.5,
        "seed": 3,
        "min_p": 0.1,
    }
    assert rows(tmp_path / "out.jsonl")[0]["caption"] == "mystyle, Hier ist ein Bild!"


def test_first_captions_before_the_run(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    before = endpoint.get("/stats")["requests"]
    ran = cutline("caption", str(pictures), "--preview", "2", "--nim-endpoint", endpoint.url)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines() if line.strip()] == [
        "picture",
        *sorted(f"{c}.jpg" for c in COLOURS)[:2],
    ]
    assert endpoint.get("/stats")["requests"] - before == 2
    assert list(tmp_path.iterdir()) == [], "nothing is written"

    endpoint.post("/configure", {"fault": {"refusal": 1}})
    ran = cutline("caption", str(pictures), "--preview", "1", "--nim-endpoint", endpoint.url)
    assert ran.code == 1
    assert "refused: the model refused" in ran.out


def test_estimate_before_the_run(cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[openai."m"]\ninput = 10\noutput = 100\n')
    ran = cutline(
        *("caption", str(pictures), "--estimate", "--model", "openai:m", "--endpoint", endpoint.url),
        *("--prices", "prices.toml", "--max-cost", "0.001", "--budget-tokens", "100"),
    )
    assert (ran.code, ran.err) == (0, "")
    first, *more = ran.out.splitlines()
    assert first.startswith(("5 pictures: about ", "5 pictures: less than "))
    assert first.endswith("500 tokens in, 100 out · $0.0150")
    assert more[0].startswith("measured on 5 pictures")
    assert [line.split()[0] for line in more[1:]] == ["--budget-tokens", "--max-cost"]
    assert list(tmp_path.iterdir()) == [prices]
    unknown = cutline("caption", str(pictures), "--estimate", "--model", "m", "--endpoint", endpoint.url)
    assert "price unknown (--prices FILE)" in unknown.out
