"""The documentation says what the program does, and its examples run."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from benchmark_datasets import make_crisismmd, make_scienceqa
from cutline import registry
from cutline.captioners.hosted.presets import PRESETS
from cutline.chain_file import PlannedStep
from cutline.cli.app import build
from cutline.engine import report
from cutline.engine.chain_builder import STEP_OPTIONS
from cutline.prompts import library_prompts
from server_process import Server

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "cutline"
WRITTEN = {"cli.md", "python-api.md", "replies.md"}  # by scripts/reference.py
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/service")]
import layout  # noqa: E402
import reference  # noqa: E402


def text_of(page):
    return (DOCS / page).read_text("utf-8")


def handwritten():
    return "\n".join(text_of(page) for page in PAGES if page not in WRITTEN)


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def table(page, heading):
    """The rows below a heading, each as the list of its cells."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", text_of(page), flags=re.MULTILINE)[1]
    lines = re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if re.match(r"\| *[^ -]", line)]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def ticked(text):
    return re.findall(r"`([^`]+)`", text)


# What the program has stands in the pages


def test_the_generated_pages_are_as_the_program_is():
    done = python(ROOT / "scripts/reference.py", "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("width", ["40", "200"])
def test_the_generated_pages_do_not_depend_on_the_terminal(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    assert reference.cli_page() == text_of("cli.md")


def test_every_option_is_explained_by_a_person_too():
    options = {
        name
        for _, app in reference.commands(build())
        for argument in app.assemble_argument_collection()
        if argument.parse
        for name in argument.names
        if name.startswith("--") and not name.startswith(("--no-", "--empty-"))
    }
    assert len(options) > 40
    text = handwritten()
    # Of what is on by default, the opposite is explained.
    assert [name for name in sorted(options) if not re.search(rf"--(no-)?{name[2:]}(?![\w-])", text)] == []
    assert "--no-recursive" in text


def test_every_command_is_used_in_an_example():
    used = {" ".join(words[:2]) for page in PAGES for words in commands_of(page)}
    for words, _ in reference.commands(build()):
        assert any(command.startswith(" ".join(words[1:])) for command in used) or words[1] == "prompts"


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"]) - {"test", "bench", "docs"}
    assert {ticked(row[0])[0] for row in table("quickstart.md", "Install")} == extras


def test_the_registry_is_in_the_pages():
    inputs, outputs = text_of("inputs.md"), handwritten()
    models = text_of("models.md") + text_of("local-models.md")
    for room, text in {"sources": inputs, "captioners": models, "sinks": outputs}.items():
        for name in registry.BUILT_IN[room]:
            assert f"`{name}`" in text or f"`{name}:" in text, (room, name)
    for name in registry.BUILT_IN["checks"]:
        assert f"`--check {name}" in text_of("checks.md"), name


def test_the_providers_are_listed_as_they_are():
    rows = {row[0]: row for row in table("models.md", "Models")}
    for preset in PRESETS.values():
        if preset.name == "endpoint":
            row = rows["any name, with `--endpoint URL`"]
        else:
            row = rows.pop(f"`{preset.name}:…`")
            assert ticked(row[3]) == ([preset.default_model] if preset.default_model else [])
            assert preset.key_needed or preset.endpoint in row[1]
        assert tuple(ticked(row[2])) == preset.key_env
    local = "`blip`, `qwen2-vl:7b`, `hf:FOLDER` …"
    assert set(rows) == {"`pixels`", "`fake`", local, "any name, with `--endpoint URL`"}


def test_the_schema_dialects_are_listed_as_they_are():
    rows = table("models.md", "Structured captions")
    told = {name: ticked(row[2])[0] for row in rows for name in ticked(row[0])}
    assert told == {name: preset.schema for name, preset in PRESETS.items() if name != "endpoint"}


def test_the_prices_are_those_of_the_table():
    told = {ticked(row[0])[0]: set(ticked(row[1])) for row in table("cost.md", "Prices")}
    prices = tomllib.loads((SOURCE / "engine/prices.toml").read_text())
    assert told == {provider: set(models) for provider, models in prices.items()}


def test_the_chain_on_the_page_is_the_example():
    example = tomllib.loads((ROOT / "examples/chains/three-experts.toml").read_text())
    assert tomllib.loads(blocks("chains.md", "toml")[0]) == example


def test_every_setting_of_a_step_is_explained():
    told = {name for row in table("chains.md", "A chain file") for name in ticked(row[0])}
    own = {field.name for field in dataclasses.fields(PlannedStep)} - {"options", "place"}
    assert told >= own | {name for names in STEP_OPTIONS.values() for name in names}


def test_every_library_prompt_is_in_the_pages():
    text = text_of("prompts.md")
    assert [name for name in library_prompts() if f"`{name}`" not in text] == []


def test_every_failure_and_skip_has_its_cause_and_cure():
    headings = ("The picture", "The request", "The answer")
    rows = [row for heading in headings for row in table("failures.md", heading)]
    told = [ticked(row[0])[0] for row in rows]
    failures, skips = kinds()
    acting = [name for name in registry.BUILT_IN["checks"] if has_action(registry.load("checks", name))]
    assert sorted(told) == sorted({*failures, *acting})
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)
    assert {ticked(row[0])[0] for row in table("failures.md", "Skips")} == skips


def has_action(check):
    """Whether what the check objects to may be a failure, whose kind is its name."""
    return "action" in {field.name for field in dataclasses.fields(check.Options)}


RAISED = {"PictureError", "ReplyError", "SampleError", "Retryable", "Rejected", "StepFailed"}


def kinds():
    """Every kind of failure, and every reason to skip, that stands in the source."""
    failures, skips = set(), set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        named = {getattr(node.targets[0], "id", ""): node.value for node in assigned}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                # The downloader's own retries end as "fetch".
                if name in RAISED and node.args and (name, path.name) != ("Retryable", "http.py"):
                    failures |= constants(node.args[0])
                elif name == "_failures_of":  # of a filter or check
                    failures |= constants(node.args[1])
                elif name in {"Problem", "Failure"} and "kind" in given:
                    (skips if "skip" in given else failures).update(constants(given["kind"]))
                elif name in {"Skip", "OutputKept"}:
                    reason = given["reason"] if name == "Skip" else node.args[0]
                    skips |= constants(named.get(getattr(reason, "id", ""), reason))
            elif isinstance(node, ast.Assign) and path.parent.name in {"hosted", "captioners", "chain"}:
                failures |= constants(node.value) if getattr(node.targets[0], "id", "") == "kind" else set()
    return failures, skips


def constants(node):
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_the_exit_codes_are_those_of_the_program():
    codes = {value for name, value in vars(report).items() if name.startswith("EXIT_")}
    for file in ("app.py", "execute.py", "streams.py"):
        for node in ast.walk(ast.parse((SOURCE / "cli" / file).read_text())):
            value = node.value if isinstance(node, ast.Return | ast.keyword) else None
            wanted = isinstance(node, ast.Return) or (isinstance(node, ast.keyword) and node.arg == "code")
            if wanted and isinstance(value, ast.Constant) and type(value.value) is int:
                codes.add(value.value)
    assert set(reference.EXIT_CODES) == codes
    told = [int(row[0]) for row in table("cli.md", "Exit codes")]
    assert told == sorted(codes)


# The examples run


def commands_of(page, languages=("bash", "console")):
    """The words of every command line of cutline in the page's examples; a comment may follow.

    Those in ``console`` blocks are not run: they need a download, a server or a model.
    """
    lines = []
    for language in languages:
        for block in blocks(page, language):
            lines += [line.removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines()]
    return [
        shlex.split(line, comments=True)[1:]
        for line in lines
        if line.startswith("cutline ") and "…" not in line
    ]


def expected_codes(page):
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    lines = [line for line in lines if line.startswith("cutline ") and "…" not in line]
    found = [re.search(r"# exits (\d+)", line) for line in lines]
    return [int(match[1]) if match else 0 for match in found]


README = "../README.md"
COMMAND_PAGES = [page for page in [*PAGES, README] if commands_of(page, ["bash"])]
PYTHON_PAGES = [page for page in [*PAGES, README] if blocks(page, "python") and page not in WRITTEN]
RUNNER = """
import ast, asyncio, json, sys
work = json.load(sys.stdin)
if "commands" in work:
    from cutline.cli import main
    for words in work["commands"]:
        print(f"\\n$ cutline {' '.join(words)}", file=sys.stderr)
        print("exit", main(words), flush=True)
names = {"__name__": "__main__"}
for code in work.get("code", ()):
    result = eval(compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if result is not None:
        asyncio.run(result)
"""


def python(*arguments, cwd, **options):
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    return subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True, **options)


def run(folder, **work):
    return python("-c", RUNNER, cwd=folder, input=json.dumps(work))


@pytest.fixture(scope="module")
def endpoint():
    command = [sys.executable, ROOT / "tests/servers/endpoint.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().split()[1]}/v1"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder with everything that the examples read, and a web server on its pictures."""
    folder = tmp_path_factory.mktemp("material")
    for number, name in enumerate(("sunset.jpg", "poster.png", "a/7.jpg", "a/forest.webp")):
        image = Image.new("RGB", (96, 64), (40 * number, 90, 160))
        ImageDraw.Draw(image).ellipse((10 + number * 9, 10, 60, 50), fill=(220, 180, 30 * number))
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    for shard in range(2):
        (folder / "shards").mkdir(exist_ok=True)
        (folder / "text").write_text("A disc.")
        (folder / "row").write_text(json.dumps({"image_id": f"{shard}"}))
        with tarfile.open(folder / f"shards/{shard:05}.tar", "w") as tar:
            for name, member in (("photos/sunset.jpg", "jpg"), ("text", "txt"), ("row", "json")):
                tar.add(folder / name, f"{shard}.{member}")
    make_crisismmd(folder / "CrisisMMD_v2.0", missing=False)
    make_scienceqa(folder / "ScienceQA", missing=False)
    (folder / "products.csv").write_text("file,category\nphotos/sunset.jpg,card\nphotos/a/7.jpg,print\n")
    (folder / "orders.csv").write_text("image\nsunset.jpg\na/7.jpg\n")
    (folder / "schema.json").write_text('{"type": "object", "properties": {"short": {"type": "string"}}}')
    (folder / "objects.toml").write_text(blocks("evaluation.md", "toml")[0])
    (folder / "references.json").write_text(blocks("evaluation.md", "json")[0])
    (folder / "prices.toml").write_text(blocks("cost.md", "toml")[0])
    (folder / "chain.toml").write_text(
        re.sub('model = ".*"', 'model = "fake"', blocks("chains.md", "toml")[0])
    )
    template = json.loads(blocks("prompts.md", "json")[0]) | {"regex": ".*"}
    template["cot_prompt"]["image_path"] = "photos/poster.png"
    for name in ("template.json", "my-prompt.json"):
        (folder / name).write_text(json.dumps(template))
    server = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        server, cwd=folder / "photos", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        port = re.search(r"port (\d+)", process.stdout.readline())[1]
        urls = [f"http://127.0.0.1:{port}/{name}" for name in ("sunset.jpg", "poster.png")]
        (folder / "urls.txt").write_text("\n".join(urls))
        (folder / "links.csv").write_text("\n".join(["link", *urls]))
        yield folder
        process.kill()


@pytest.fixture
def folder(material, tmp_path):
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    return tmp_path


OF_OUTPUTS = [["batch", name] for name in ("status", "collect", "cancel")]


WITHOUT_MODEL = {
    "filter",
    "judge",
    "eval",
    "embed",
    "cluster",
    "report",
    "models",
    "prompts",
    "run",
    "edit",
    "find",
    "history",
    "undo",
    "redo",
    "export",
    "words",
    "lint",
    "proposals",
}


def here(words, endpoint):
    """The command with the test endpoint for other people's, and quick answers where none are asked for."""
    words = [re.sub(r"http://[\w-]+:\d+/v1$", endpoint, word) for word in words]
    if "--judge" in words:
        words[words.index("--judge") + 1] = "fake"
    if words[0] == "compare":
        named = [
            f"endpoint:{word.partition(':')[2]}" if word.partition(":")[0] in PRESETS else word
            for word in words
        ]
        return named if named == words else [*named, "--endpoint", endpoint]
    if "--step" in words or "--chain" in words:
        return [re.sub(r"^(\w+)=.*", r"\1=fake", word) for word in words]
    model = next((words[at + 1] for at, word in enumerate(words) if word == "--model"), None)
    if words[:2] == ["models", "check"]:
        model = words[2]
    elsewhere = "--endpoint" in words or "--nim-endpoint" in words
    if model is not None and model.partition(":")[0] in PRESETS and not elsewhere:
        words += ["--endpoint", endpoint]
    if words[0] not in WITHOUT_MODEL and words[:2] not in OF_OUTPUTS:
        if model is None and "--model-name" not in words and words != ["caption", "photos/"]:
            words += ["--model", "fake"]  # which is quicker to start
        if any(word in {"urls.txt", "links.csv"} for word in words) and "--allow-private-urls" not in words:
            words += ["--allow-private-urls"]
    return words


def can_run(page, words):
    """Not where storage or a model's JSON would be needed; the first command of all runs on one page."""
    if words == ["caption", "photos/"]:
        return page == "quickstart.md"
    is_server = words[0] == "studio"
    return not is_server and "--schema" not in words and not any("s3://" in word for word in words)


def test_commands_that_cannot_run_here_mean_something():
    app = build()
    commands = [words for page in PAGES for words in commands_of(page, ["console"])]
    commands += [words for page in PAGES for words in commands_of(page, ["bash"]) if not can_run(page, words)]
    assert len(commands) >= 4
    for words in commands:
        app.parse_args(words, exit_on_error=False, print_error=False)


@pytest.fixture(scope="module")
def batch_service():
    """A service with a batch API, where a day passes with every look."""
    with Server("batch_service.py") as server:
        server.post("/configure", {"auto": True, "models": ["gpt-4o-mini", "my-model"]})
        yield server.url


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_commands_run(page, folder, endpoint, request):
    if page == "batch.md":
        endpoint = request.getfixturevalue("batch_service")
    if page == "studio.md":
        for picture in (folder / "photos").glob("*.jpg"):
            picture.with_suffix(".txt").write_text("a cat on a mat")
    if page == "analysis.md":
        for picture in [each for each in (folder / "photos").rglob("*") if each.is_file()]:
            picture.with_suffix(".txt").write_text(f"a cat on a mat, seen from {picture.name}")
    wanted = list(zip(commands_of(page, ["bash"]), expected_codes(page), strict=True))
    wanted = [(words, code) for words, code in wanted if can_run(page, words)]
    done = run(folder, commands=[here(words, endpoint) for words, _ in wanted])
    codes = [int(code) for code in re.findall(r"^exit (\d+)$", done.stdout, re.MULTILINE)]
    assert codes == [code for _, code in wanted], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if page == "quickstart.md":
        assert len((folder / "captions.jsonl").read_text().splitlines()) == 4
        assert "the embedded captioner `pixels`" in done.stderr
    if page == "running.md":
        assert (folder / "job.toml").read_text() == blocks(page, "toml")[0]


@pytest.mark.parametrize("page", [page for page in PYTHON_PAGES if page != "extending.md"])
def test_python_examples_run(page, folder, endpoint, request):
    if page == "batch.md":
        endpoint = request.getfixturevalue("batch_service")
    code = [block.replace("http://localhost:8000/v1", endpoint) for block in blocks(page, "python")]
    if any(SERVED in block for block in code):
        url = request.getfixturevalue("service").url
        code = [block.replace(SERVED, url) for block in code]
    code = [block.replace('"pixels"', '"fake"') for block in code]  # which is quicker to start
    done = run(folder, code=code)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr or page == "outputs.md"  # the webdataset library leaves files open


SERVED = "http://127.0.0.1:8000"
CURL = 'set -e; curl() { command curl --fail-with-body --silent --show-error "$@"; echo; }\n'


@pytest.fixture(scope="module")
def service(material, tmp_path_factory):
    """``cutline serve`` on the pictures of the examples."""
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from serving import Service

    folder = tmp_path_factory.mktemp("service")
    with Service("--image-root", material / "photos", cwd=folder) as running:
        yield running


@pytest.mark.parametrize(
    "number", range(len([block for block in blocks("service.md", "bash") if SERVED in block]))
)
def test_requests_run(number, folder, service):
    block = [block for block in blocks("service.md", "bash") if SERVED in block][number]
    done = subprocess.run(
        ["bash", "-c", CURL + block.replace(SERVED, service.url)],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") >= block.count("curl ")


def test_every_address_and_setting_of_the_service_is_explained(service):
    from cutline.service.settings import Settings

    text = text_of("service.md") + text_of("jobs.md")
    paths = set(service.client.get("/openapi.json").json()["paths"]) - {"/page/{name}"}
    assert len(paths) > 12
    assert [path for path in sorted(paths) if path.removesuffix("/{model}") not in text] == []
    names = {f"CUTLINE_{name.upper()}" for name in Settings.model_fields}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_every_status_of_the_service_is_explained():
    explained = {int(row[0]) for row in table("service.md", "Errors")}
    used = set()
    for path in (SOURCE / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ServiceError":
                first = node.args[0] if node.args else None
                used |= {first.value} if isinstance(first, ast.Constant) else set()
    assert used - explained == set()
    assert {401, 403, 404, 413, 415, 422, 429, 503} <= used


def test_the_extensions_work(folder):
    *parts, trial = blocks("extending.md", "python")
    package = folder / "site"
    info = package / "my_package-1.dist-info"
    info.mkdir(parents=True)
    (package / "my_package.py").write_text("\n".join(parts))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    points = tomllib.loads(blocks("extending.md", "toml")[0])["project"]["entry-points"]
    lines = [
        f"[{group}]\n{name} = {target}" for group, entry in points.items() for name, target in entry.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    start = "import sys; sys.path.insert(0, 'site')\nfrom my_package import *\n"
    done = run(folder, code=[start, trial])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 1\nphotos/sunset.jpg: ")
    assert "PROMPT: DESCRIBE THIS IMAGE IN DETAIL." in done.stdout


def test_the_measure_works_from_a_file(folder):
    (measure,) = [block for block in blocks("extending.md", "python") if "cutline.Measure)" in block]
    (folder / "my_measures.py").write_text(measure)
    Image.new("RGB", (96, 64), (250, 10, 10)).save(folder / "photos/red.png")
    arguments = ("--keep", "red<=0.5", "--plugin", "my_measures.py")
    kept = python("-m", "cutline", "filter", "photos", "kept.txt", *arguments, cwd=folder)
    assert "1 red<=0.5" in kept.stderr
    assert "photos/red.png" not in (folder / "kept.txt").read_text().split()
    listed = python("-m", "cutline", "filter", "--list", "--plugin", "my_measures.py", cwd=folder)
    assert "share of the area that is red" in listed.stdout


def messages():
    """The texts of the program, in which values are ``…``."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                yield "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_messages_that_the_pages_explain_are_those_of_the_program():
    known = "\n".join(messages())
    rows = table("failures.md", "What stops a run")
    quoted = [text for row in rows for text in ticked(row[0])]
    assert len(quoted) > 8
    parts = [part.strip() for text in quoted for part in re.split(r"…|\d+", text)]
    assert [part for part in parts if len(part) > 3 and part not in known] == []


# What the pages say about the source tree


def test_modules_and_files_that_pages_name_exist():
    assert reference.wrong_names() == []


@pytest.mark.parametrize(
    "word", ["cutline.asking", "cutline.engine.run.nothing", "src/cutline/desk.py", "tests/no/"]
)
def test_a_name_that_does_not_exist_is_found(word):
    assert layout.wrong_names(f"in `{word}`, not `cutline.api` or `cutline.Retryable`", design=False) == [
        word
    ]
    assert layout.wrong_names("in `captioners/asking.py`", design=True) == ["captioners/asking.py"]


def test_the_architecture_page_has_all_top_level_modules():
    page = text_of("design/index.md")
    modules = {
        path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for name in modules - {"__init__", "__main__"} if f"| `{name}` |" not in page} == set()
    assert "planned" not in page


def test_a_stale_table_of_layers_is_written_anew():
    page = text_of("design/index.md")
    assert layout.with_tables(page) == page
    assert layout.with_tables(page.replace("| `cli` |", "| `console` |")) == page


# The pages hold together


def anchors(page):
    names = set()
    for line in re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE).splitlines():
        if heading := re.match(r"#+ (.+)", line):
            words = re.sub(r"[^\w\s-]", "", heading[1].replace("`", "")).strip().lower()
            names.add(re.sub(r"[-\s]+", "-", words))
    return names


@pytest.mark.parametrize("page", [*PAGES, README, "../CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    path = (DOCS / page).resolve()
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)  # regular expressions hold what looks like links
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text("utf-8")), target


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    pytest.importorskip("material", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        html = page.read_text("utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(https?:[^\"]*)", html)
        loaded += re.findall(r"<link\b[^>]*\bhref=\"(https?:[^\"]*)", html)
        assert loaded == [], page
