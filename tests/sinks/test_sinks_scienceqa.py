"""A captions.json that holds the captions of others: what becomes of them, whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sink_cases import fill, make, output_of, pairs, state_of

from cutline.errors import OutputExists

THEIRS = {
    "model": "an-older-model",
    "max_length": 64,
    "num_beams": 4.5,
    "captions": {"7": "Not asked now.", "d/001.jpg": "Theirs.", "d/002.jpg": ""},
}
OURS = {f"d/{number:03}.jpg": f"a dog {number}" for number in range(3)}


@pytest.fixture
def there(tmp_path):
    """The file of someone else, where the sink writes."""
    file = output_of(tmp_path, "scienceqa")
    file.write_text(json.dumps(THEIRS, indent=1))
    return file


def run(folder, existing, *, count=3, text="a dog", mark=None):
    sink = make(folder, "scienceqa", existing=existing, overwrite=existing == "overwrite")
    sink.open(mark)
    fill(sink, pairs(count, text))
    mark = sink.commit()
    sink.finish()
    return mark


def read(file):
    return json.loads(file.read_bytes())


def test_without_a_wish_it_is_left_alone(there, tmp_path):
    before = there.read_bytes()
    with pytest.raises(
        OutputExists, match=r"--existing skip, append or prepend, .* --existing overwrite"
    ) as error:
        run(tmp_path, None)
    assert "\n" not in str(error.value)
    assert there.read_bytes() == before


def test_other_captions_and_values_stay_in_their_places(there, tmp_path):
    run(tmp_path, "overwrite")
    found = read(there)
    assert list(found["captions"].items()) == [
        ("7", "Not asked now."), ("d/001.jpg", "a dog 1"), ("d/002.jpg", "a dog 2"), ("d/000.jpg", "a dog 0"),
    ]  # fmt: skip
    assert (found["max_length"], found["num_beams"]) == (64, 4.5)
    assert (found["model"], found["prompt"]) == ("an-older-model, m", "p@0")


def test_with_skip_every_caption_that_is_there_stays(there, tmp_path):
    run(tmp_path, "skip")
    assert read(there)["captions"] == {**OURS, "7": "Not asked now.", "d/001.jpg": "Theirs."}


@pytest.mark.parametrize("existing", ["append", "prepend"])
def test_the_engine_is_told_what_to_join_with(existing, there, tmp_path):
    sink = make(tmp_path, "scienceqa", existing=existing)
    sink.open(None)
    assert [sink.existing_text(sample) for sample, _ in pairs(3)] == [None, "Theirs.", None]
    fill(sink, pairs(2, "joined"))
    sink.finish()
    assert read(there)["captions"]["d/001.jpg"] == "joined 1"
    assert read(there)["model"] == "an-older-model, m"
    again = make(tmp_path, "scienceqa", existing=existing)
    again.open(None)  # anew: what was theirs is still known, and what is ours is not taken for it
    assert [again.existing_text(sample) for sample, _ in pairs(3)] == [None, "Theirs.", None]
    again.close()


def test_a_later_run_and_a_run_after_a_death_keep_them_too(there, tmp_path):
    sink = make(tmp_path, "scienceqa", existing="skip")
    sink.open(None)
    fill(sink, pairs(2))
    mark = sink.commit()
    fill(sink, pairs(3)[2:])
    sink.close()  # without finishing
    assert read(there) == THEIRS
    sink = make(tmp_path, "scienceqa", existing="skip")
    sink.open(mark)
    fill(sink, pairs(3)[2:])
    mark = sink.commit()
    sink.finish()
    wanted = {**OURS, "7": "Not asked now.", "d/001.jpg": "Theirs."}
    assert read(there)["captions"] == wanted
    first = there.stat().st_mtime_ns
    sink = make(tmp_path, "scienceqa", existing="skip")
    sink.open(mark)
    sink.finish()
    assert there.stat().st_mtime_ns == first
    assert read(there)["captions"] == wanted


DYING = """
import json, os, sys
from pathlib import Path
from sink_cases import fill, make, pairs

folder, when = Path(sys.argv[1]), sys.argv[2]
sink = make(folder, "scienceqa", existing="skip")
sink.open(None)
fill(sink, pairs(3))
print(json.dumps(sink.commit()), flush=True)
renaming = False

def die(event, arguments):
    global renaming
    if renaming or (when.startswith("before") and is_last(event, arguments)):
        os._exit(9)
    renaming = is_last(event, arguments)

def is_last(event, arguments):
    return event == "os.rename" and Path(arguments[1]).name == "captions.json"

sys.addaudithook(die)
sink.finish()
"""
"""A program that dies when it replaces the file, or at its next step after that."""


@pytest.mark.parametrize("when", ["before the file is replaced", "after the file was replaced"])
@pytest.mark.parametrize("anew", [False, True])
def test_a_death_while_it_is_published_loses_nothing(when, anew, there, tmp_path):
    command = [sys.executable, "-c", DYING, tmp_path, when]
    done = subprocess.run(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 9
    assert ("captions" in read(there)) is True
    assert ("d/000.jpg" in read(there)["captions"]) == when.startswith("after")
    mark = json.loads(done.stdout)
    assert set(THEIRS["captions"]) <= set(read(there)["captions"])
    sink = make(tmp_path, "scienceqa", existing="skip")
    sink.open(None if anew else mark)
    if anew:
        fill(sink, pairs(3))
    sink.finish()
    assert read(there)["captions"] == {**OURS, "7": "Not asked now.", "d/001.jpg": "Theirs."}


def test_ours_are_replaced_anew_without_being_asked_for(there, tmp_path):
    run(tmp_path, "overwrite", text="first")
    run(tmp_path, "overwrite", text="second", count=1)
    assert read(there)["captions"] == {**THEIRS["captions"], "d/000.jpg": "second 0"}


def test_an_edit_by_hand_stays_with_skip_and_stops_joining(there, tmp_path):
    mark = run(tmp_path, "skip")
    edited = read(there)
    edited["captions"]["d/000.jpg"] = "Mended by hand."
    there.write_text(json.dumps(edited))
    with pytest.raises(OutputExists, match="changed by another program"):
        make(tmp_path, "scienceqa", existing="append").open(mark)
    run(tmp_path, "skip", count=0, mark=mark)
    assert read(there)["captions"]["d/000.jpg"] == "Mended by hand."
    assert read(there)["captions"]["d/002.jpg"] == "a dog 2"


def test_when_the_file_is_taken_away_theirs_do_not_come_back(there, tmp_path):
    mark = run(tmp_path, "skip")
    there.unlink()
    run(tmp_path, "skip", count=0, mark=mark)
    assert read(there)["captions"] == OURS


@pytest.mark.parametrize(
    "content", [b"mine", b"[1]", b'{"captions": ["a"]}', b'{"question": 1}', b'{"captions": {"1"']
)
def test_what_holds_no_captions_is_only_overwritten(content, tmp_path):
    file = output_of(tmp_path, "scienceqa")
    file.write_bytes(content)
    for existing in (None, "skip", "append"):
        with pytest.raises(OutputExists, match=r"holds no captions by key.* --existing overwrite"):
            run(tmp_path, existing)
        assert file.read_bytes() == content
    run(tmp_path, "overwrite")
    assert read(file)["captions"] == OURS


def test_a_file_changed_during_the_run_is_left_alone(there, tmp_path):
    sink = make(tmp_path, "scienceqa", existing="skip")
    sink.open(None)
    fill(sink, pairs(2))
    there.write_text('{"captions": {"8": "Added meanwhile."}}')
    with pytest.raises(OutputExists):
        sink.finish()
    sink.close()
    run(tmp_path, "skip")
    assert read(there)["captions"] == {"8": "Added meanwhile.", **OURS}
    assert state_of(there).is_dir()
