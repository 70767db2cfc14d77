"""Captions and outputs that were there before us, and how new words are joined to them."""

from __future__ import annotations

import pytest

from engine_outputs import NAMES, captions, report
from processes import cutline_here, start_cutline, wait_until

MINE = "A text of mine."


@pytest.fixture
def folder(pictures):
    """Twenty pictures; every other one has a caption of the user's beside it."""
    folder = pictures(20)
    for number in range(0, 20, 2):
        (folder / f"{number:05}.txt").write_text(MINE)
    return folder


def texts(folder):
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))}


def sidecars(folder, *arguments, model="fake"):
    return cutline_here(
        "caption", folder, "--output-format", "sidecar", "--quiet", *arguments, "--model", model
    )


def test_without_a_policy_captions_that_are_there_stay(folder):
    done = sidecars(folder)
    assert done.returncode == 0, done.stderr
    found = texts(folder)
    assert len(found) == 20
    assert [found[name] for name in sorted(found)[::2]] == [MINE] * 10
    assert all("checksum" in found[name] for name in sorted(found)[1::2])
    summed = report(folder)
    assert (summed["captions"], summed["skips"]) == (10, 10)


JOINED = {
    "skip": lambda text, new: text,
    "overwrite": lambda text, new: new,
    "append": lambda text, new: f"{text} {new}",
    "prepend": lambda text, new: f"{new} {text}",
}


@pytest.mark.parametrize("policy", JOINED)
def test_a_policy_says_what_becomes_of_them(policy, folder, tmp_path):
    plain = tmp_path / "plain.jsonl"
    assert (
        cutline_here("caption", folder, plain, "--existing", "overwrite", "--model", "fake").returncode == 0
    )
    new = {key[:-4]: text for key, text in captions("jsonl", plain)}
    for _ in range(2):  # the second run finds our own words, which are no one else's
        done = sidecars(folder, "--existing", policy)
        assert done.returncode == 0, done.stderr
        found = texts(folder)
        for number in range(20):
            name = f"{number:05}"
            assert found[name] == (new[name] if number % 2 else JOINED[policy](MINE, new[name]))


def _wait_for_captions(process, folder, wanted):
    def written():
        return sum("checksum" in text for text in texts(folder).values())

    wait_until(lambda: written() >= wanted or process.poll() is not None)


@pytest.mark.parametrize("policy", ["append", "prepend"])
def test_kills_never_join_twice(policy, folder):
    """Killed while sidecars are written, and again while they are written again."""
    arguments = ("--output-format", "sidecar", "--existing", policy, "--model", "fake:latency=0.02,slots=1")
    for wanted in (4, 9, 14):
        process = start_cutline("caption", folder, *arguments)
        _wait_for_captions(process, folder, wanted)
        process.kill()
        process.communicate()
        (folder.with_name(folder.name + ".cutline") / "mark.json").unlink(missing_ok=True)
    assert sidecars(folder, "--existing", policy).returncode == 0
    for name, text in texts(folder).items():
        assert text.count("checksum") == 1, text
        assert text.count(MINE) == (int(name) % 2 == 0), text


def test_all_anew_joins_the_words_that_were_there_first(folder, endpoint):
    """A second and a third prompt, the second one failing for some: never our own words as the user's."""
    asked = (
        "caption",
        folder,
        "--output-format",
        "sidecar",
        "--existing",
        "append",
        "--on-change",
        "redo-all",
    )

    def run(prompt, **faults):
        endpoint.configure(fault=faults)
        return cutline_here(*asked, "--prompt", prompt, *endpoint.arguments(max_retries=0))

    assert run("One.").returncode == 0
    assert run("Two.", **{"400": 0.4}).returncode == 1
    assert run("Three.").returncode == 0
    found = texts(folder)
    assert len(found) == 20
    for name, text in found.items():
        assert text.count("A test caption") == 1, text
        assert text.startswith(MINE) == (int(name) % 2 == 0), text


@pytest.mark.parametrize("form", NAMES)
def test_outputs_of_others_are_not_touched_without_being_told_to(form, pictures, tmp_path):
    if form == "sidecar":
        pytest.skip("sidecars are kept or replaced one by one")
    output = tmp_path / NAMES[form]
    theirs = output / "00000.tar" if form == "webdataset" else output
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(b"something of someone else's")
    folder = pictures(4)
    arguments = ("caption", folder, output, "--output-format", form, "--model", "fake")
    done = cutline_here(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert theirs.read_bytes() == b"something of someone else's"
    done = cutline_here(*arguments, "--existing", "overwrite")
    assert done.returncode == 0, done.stderr
    assert len(captions(form, output)) == 4
