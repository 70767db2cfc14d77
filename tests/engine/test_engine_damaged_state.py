"""State files that are damaged, of another version, or something else: one line, or made again."""

from __future__ import annotations

import shutil

import orjson
import pytest

from engine_outputs import captions
from processes import cutline_here

FORMS = ("jsonl", "csv", "parquet", "webdataset", "sidecar", "scienceqa")
FILES = {
    "jsonl": ("journal.jsonl", "mark.json", "output.json", "failures.json", "owner.json", "report.json"),
    "csv": ("mark.json", "output.json", "rows.part"),
    "parquet": ("output.json", "rows.part"),
    "webdataset": ("mark.json", "shards.jsonl"),
    "sidecar": ("sidecars.sqlite",),
    "scienceqa": ("before.json", "output.json"),
}


def _values(value):
    """The same names with values of another type."""
    if isinstance(value, dict):
        return {name: _values(item) for name, item in value.items()}
    return [_values(item) for item in value] if isinstance(value, list) else {"x": 1}


def other_types(path):
    text = path.read_bytes()
    try:
        rows = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        rows = map(orjson.loads, text.splitlines())
    path.write_bytes(b"".join(orjson.dumps(_values(row)) + b"\n" for row in rows))


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "half": half,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "not-utf-8": lambda path: path.write_bytes(b"\xff\xfe\n" + path.read_bytes()),
    "list": lambda path: path.write_bytes(b"[1, 2]\n"),
    "number": lambda path: path.write_bytes(b"7\n"),
    "other-types": other_types,
    "other-names": lambda path: path.write_bytes(b'{"version": 99, "run": 1}\n{"key": 1, "type": 2}\n'),
    "folder": folder,
}


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A finished run in every format, to be copied."""
    top = tmp_path_factory.mktemp("states")
    from PIL import Image

    pictures = top / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(pictures / f"{number}.png")
    (pictures / "9.png").symlink_to("nowhere.png")
    for form in FORMS:
        place = top / form
        shutil.copytree(pictures, place / "pictures", symlinks=True)
        if form == "scienceqa":
            (place / "o").write_text('{"captions": {"mine": "A text."}}')
        done = cutline_here(*command(place, form))
        assert done.returncode == 1, done.stderr
        shutil.copytree(place, top / f"{form}-kept", symlinks=True)
    return top


def command(place, form):
    output = place / "pictures" if form == "sidecar" else place / "o"
    more = ("--existing", "append") if form == "scienceqa" else ()
    return ("caption", place / "pictures", output, "--output-format", form, "--model", "fake", *more)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_state_file_costs_one_line_at_most(form, damage, states):
    for name in FILES[form]:
        place = states / form
        shutil.rmtree(place)
        shutil.copytree(states / f"{form}-kept", place, symlinks=True)
        state = place / ("pictures.cutline" if form == "sidecar" else "o.cutline")
        if damage == "other-types" and name.rpartition(".")[2] in {"sqlite", "part"}:
            continue
        DAMAGE[damage](state / name)
        arguments = command(place, form)
        done = cutline_here(*arguments)
        what = f"{name}: {done.stderr}"
        assert "Traceback" not in done.stderr, what
        if done.returncode not in {0, 1}:
            assert len(done.stderr.strip().splitlines()) == 1, what
            if damage == "folder" and "--existing" not in done.stderr:
                assert any(cure in done.stderr for cure in ("move", "remove", "restore")), what
                (state / name).rmdir()
                again = cutline_here(*arguments)
            elif "--on-change" in done.stderr:
                again = cutline_here(*arguments, "--on-change", "keep")
            elif "--existing overwrite" in done.stderr:
                if damage == "folder":
                    (state / name).rmdir()
                plain = arguments[:-2] if form == "scienceqa" else arguments
                again = cutline_here(*plain, "--existing", "overwrite", "--on-change", "keep")
            else:
                assert "restore it" in done.stderr, what
                (state / name).unlink()
                again = cutline_here(*arguments)
            assert again.returncode in {0, 1}, what + again.stderr
        if form in {"jsonl", "csv", "parquet", "webdataset"}:
            assert len(captions(form, place / "o")) == 3, what


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_batches_are_named_with_their_cure(damage, service, pictures, tmp_path):
    folder_, output = pictures(2), tmp_path / "o.jsonl"
    assert service.submit(folder_, output).returncode == 0
    DAMAGE[damage](tmp_path / "o.jsonl.cutline" / "batches.json")
    for words in (("status",), ("collect",)):
        done = cutline_here("batch", *words, output)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "batches.json is damaged; restore it, or delete it" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "edit", [lambda data: b"\xef\xbb\xbf" + data, lambda data: data.replace(b"\n", b"\r\n")]
)
def test_a_journal_that_an_editor_saved_keeps_its_settings_and_captions(edit, states):
    place = states / "jsonl"
    shutil.rmtree(place)
    shutil.copytree(states / "jsonl-kept", place, symlinks=True)
    journal = place / "o.cutline" / "journal.jsonl"
    journal.write_bytes(edit(journal.read_bytes()))
    (place / "o").unlink()
    again = cutline_here(*command(place, "jsonl"))
    assert "nothing to caption" in again.stderr
    assert len(captions("jsonl", place / "o")) == 3
    changed = cutline_here(*command(place, "jsonl"), "--prompt", "Another")
    assert "begun with other settings" in changed.stderr
