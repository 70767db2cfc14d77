"""What is imported when, the light commands stay light; and by whom, never in a circle."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import cutline
from cutline import errors

SOURCE = Path(cutline.__file__).parent
sys.path.append(str(SOURCE.parents[1] / "scripts"))
import reference  # noqa: E402

HEAVY = {
    "pyarrow",
    "aiohttp",
    "PIL",
    "numpy",
    "pydantic",
    "simplejpeg",
    "orjson",
    "fsspec",
    "regex",
    "jsonschema",
    "stamina",
    "ray",
}
REPORT = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def imported(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after ``code``; what it prints is dropped."""
    quiet = f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {code}\n{REPORT}"
    done = subprocess.run([sys.executable, "-c", quiet], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_package_alone_imports_the_standard_library_only() -> None:
    nothing = imported("pass")
    assert imported("import cutline") - nothing - set(sys.stdlib_module_names) == {"cutline"}


def test_public_names_are_the_same_for_interpreter_and_type_checkers() -> None:
    block = next(
        node
        for node in ast.parse((SOURCE / "__init__.py").read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    typed = {
        alias.asname: node.module for node in block.body for alias in node.names if alias.asname == alias.name
    }
    assert typed == cutline._MODULES
    for name, module in typed.items():
        assert getattr(cutline, name) is getattr(importlib.import_module(module), name)


def test_the_reference_lists_exactly_the_public_names() -> None:
    listed = [name for _, names in reference.API.values() for name in names.split()]
    listed += [
        name
        for name in dir(errors)
        if inspect.isclass(thing := getattr(errors, name)) and issubclass(thing, Exception)
    ]
    assert sorted(listed) == sorted(cutline.__all__)
    page = (reference.DOCS / "python-api.md").read_text("utf-8")
    assert [name for name in listed if f"cutline.{name}`" not in page and f"─ {name} " not in page] == [
        "CutlineError"
    ]
    assert dir(cutline) == sorted(cutline.__all__)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["caption", "--help"], ["ray", "up", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    modules = imported(f"import cutline.cli; cutline.cli.main({arguments})")
    assert "cyclopts" in modules
    heavy = HEAVY if arguments[0] != "caption" else HEAVY - {"orjson"}  # of the job's fields
    assert modules & heavy == set()


def test_the_embedded_captioner_asks_for_no_network(tmp_path: Path) -> None:
    picture = tmp_path / "a.ppm"
    picture.write_bytes(b"P6 8 8 255\n" + bytes(range(192)))
    from PIL import Image

    with Image.open(picture) as image:
        image.save(tmp_path / "a.png")
    code = f"import cutline; cutline.caption(r'{tmp_path / 'a.png'}', r'{tmp_path / 'out.jsonl'}')"
    assert imported(code) & {"aiohttp", "pyarrow", "fsspec"} == set()


def test_a_run_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.ppm").write_bytes(b"P6 8 8 255\n" + bytes(range(192)))
    arguments = ["caption", str(tmp_path), str(tmp_path / "out.jsonl"), "--model", "fake", "--quiet"]
    report = "import sys, json; print(json.dumps(sorted(sys.modules)))"
    code = f"import cutline.cli; assert cutline.cli.main({arguments}) == 0; {report}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unused = {
        "cyclopts.help",
        "importlib.metadata",
        "email",
        "cutline.machine",
        "cutline.sources.table_files",
        "cutline.ray",
        "ray",
    }
    assert unused & set(json.loads(done.stdout)) == set()


# Their classes are torch's modules; they are loaded with a model, never before.
OF_TORCH = {SOURCE / f"captioners/transformers/{name}.py" for name in ("onednn", "vision_openvino")}


@pytest.mark.parametrize(
    "path", sorted({*SOURCE.rglob("*.py")} - OF_TORCH), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_optional_packages_are_imported_where_they_are_used(path: Path) -> None:
    optional = {
        "pillow_heif",
        "rapidocr",
        "onnxruntime",
        "s3fs",
        "gcsfs",
        "torch",
        "transformers",
        "pandas",
        "ray",
    }
    for node in ast.parse(path.read_text("utf-8")).body:
        names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        if isinstance(node, ast.ImportFrom):
            names = {node.module or ""}
        assert {name.partition(".")[0] for name in names} & optional == set()


def test_asking_for_a_local_model_does_not_load_torch() -> None:
    code = "import cutline.captioners.factory, cutline.captioners.transformers.captioner"
    assert imported(code) & {"torch", "transformers"} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Packages' own modules among them, which the contracts of import-linter leave out."""
    graph = grimp.build_graph("cutline", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()
