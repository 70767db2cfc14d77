"""What models return for a dataset: proposals and failures, in edits that grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from cutline.dataset.history import History
from cutline.dataset.proposals import CaptionFailure, ModelOutput, Proposal
from cutline.dataset.records import Change, EditInfo
from cutline.sources.outputs import STATE_ENDING

INFO = EditInfo(kind="generate", summary="propose captions by m", model="m")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (60 * number, 90, 160)).save(pictures / f"{number}.png")
    (pictures / "0.txt").write_text("by a person\n")
    return pictures


def output(*rows: int, write: bool = False, text: str = "proposed") -> ModelOutput:
    before = {0: "by a person"}
    proposals = {row: Proposal(caption=f"{text} {row}", model="m", before=before.get(row)) for row in rows}
    return ModelOutput(captions=proposals, write=write)


def test_outputs_of_one_run_are_one_edit_until_it_is_undone(folder: Path) -> None:
    with Dataset(str(folder)) as dataset:
        dataset.read_texts()
        edit = dataset.add_output(output(0, 1), INFO).id
        assert dataset.add_output(output(2), INFO, edit).id == edit
        assert [(one.id, one.files) for one in dataset.history.edits()] == [(edit, 3)]
        dataset.undo()
        assert len(dataset.proposals) == 0
        other = dataset.add_output(output(3), INFO, edit).id
        assert other not in {None, edit}
        assert dataset.find("has:proposal").tolist() == [3]


def test_a_part_that_a_crash_interrupted_is_finished_alone(folder: Path) -> None:
    with Dataset(str(folder)) as dataset:
        dataset.read_texts()
        edit = dataset.add_output(output(1, 2), INFO).id
        dataset.accept([1])
        dataset.reject([2])
    history = History(Path(str(folder) + STATE_ENDING))
    history.begin(INFO, [Change(file="3.txt", before=None, after=b"whole")], extended=edit)
    history.close()  # as if the process had died before it wrote the file
    with Dataset(str(folder)) as dataset:
        assert (folder / "3.txt").read_text() == "whole"
        assert len(dataset.proposals) == 0  # neither comes back
        assert dataset.history.edits()[-1].files == 3
        assert dataset.undo(edit) is not None
        assert not (folder / "3.txt").exists()
        assert (folder / "1.txt").read_text() == "proposed 1"


def test_only_captions_that_nobody_changed_are_written(folder: Path) -> None:
    with Dataset(str(folder)) as dataset:
        dataset.read_texts()
        (folder / "0.txt").write_text("changed by another program\n")
        dataset.add_output(output(0, 1, write=True), INFO)
        assert (folder / "0.txt").read_text() == "changed by another program\n"
        assert (folder / "1.txt").read_text() == "proposed 1"
        assert dataset.find("has:proposal").tolist() == [0]
        assert dataset.by_person(range(4)) == {0}


def test_a_failure_counts_until_the_caption_changes(folder: Path) -> None:
    failure = CaptionFailure(kind="timeout", message="too slow", model="m")
    with Dataset(str(folder)) as dataset:
        dataset.add_output(ModelOutput(failures={1: failure, 2: failure}), INFO)
        assert dataset.find("status:failed").tolist() == dataset.find("failed:timeout").tolist() == [1, 2]
        dataset.set_captions({1: "by hand"}, EditInfo(kind="save", summary="edit"))
        dataset.add_output(output(2), INFO)
        assert dataset.find("failed:timeout").tolist() == []
        dataset.undo()
        dataset.undo()
        assert dataset.find("failed:timeout").tolist() == [1, 2]


def test_an_accepted_text_of_a_person_is_a_persons(folder: Path) -> None:
    with Dataset(str(folder)) as dataset:
        dataset.propose({1: Proposal(caption="m", model="m"), 2: Proposal(caption="m", model="m")}, INFO)
        dataset.accept([1])
        dataset.accept([2], texts={2: "better"})
        assert dataset.by_person(range(4)) == {0, 2}
        dataset.undo()
        assert dataset.by_person(range(4)) == {0}
