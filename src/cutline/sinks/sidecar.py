"""Sidecars: a text file for each picture, beside it or under an output folder."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import os
import stat
import unicodedata
from pathlib import Path

from cutline.errors import ConfigError
from cutline.files import name_to_text, sync_folder, text_to_name, write_errors
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.serialization import valid_unicode
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import exists
from cutline.sinks.sidecar_names import candidates, relative_place
from cutline.sinks.sidecar_notes import Note, Notes, Owner, digest
from cutline.storage import is_remote, local_path


class SidecarSink(Sink):
    """``photo.txt`` for ``photo.jpg``; where pictures share a stem, ``photo.jpg.txt`` for each.

    ``output`` is the folder under which the keys' folders are mirrored; a picture that lies in it
    gets its sidecar beside it, and with an empty ``output`` every picture does.
    """

    resumable = False  # files are written, and may be deleted, one by one
    keeps_captions = True

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        if is_remote(output):
            raise ConfigError(
                f"sidecars cannot be written to {output}: choose a folder on this machine, "
                "or another format for remote storage"
            )
        self._root = Path(os.path.abspath(local_path(output))) if output else None  # noqa: PTH100
        self._prefix = os.path.join(self._root, "") if self._root else ""  # noqa: PTH118 -- with a slash
        self._state = state
        self._notes: Notes | None = None
        self._may_replace = options.overwrite or options.existing not in {None, "skip"}
        self._part = f".cutline-{hashlib.blake2b(os.fsencode(state), digest_size=4).hexdigest()}.part"
        self._unsynced: set[Path] = set()
        self._written = 0
        self._safe_folder: Path | None = None

    def open(self, mark: JSON | None) -> None:
        self.close()
        if self._root:
            if self._root.exists() and not self._root.is_dir():
                raise ConfigError(f"{self._root} is a file: sidecars need the name of a folder")
            with write_errors(self._root):
                self._root.mkdir(parents=True, exist_ok=True)
        self._notes = Notes(self._state / "sidecars.sqlite")
        self._written = mark["written"] if mark else 0
        if mark is None:
            self._notes.forget_owners()

    def existing_text(self, sample: Sample) -> str | None:
        """The caption in a sidecar that is there and not from us; None where there is none.

        Where we replaced or extended one, this is what it held before us.

        Raises:
            SinkError: it cannot be read.
        """
        place = self._place(sample)
        if place is None:
            return None
        folder, picture = place
        names = [name for name, _ in candidates(picture, sample.key)][:-1]
        for name in reversed(names):
            content = self._foreign(folder / name)
            if content is not None and (words := _decode(content).strip()):
                return words
        return None

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if sample.problem is not None and sample.problem.skip:
            return  # nothing that could be captioned, such as a picture that came before
        place = self._place(sample)
        if place is not None:
            # Every other sample takes its name, so that names do not depend on which samples fail.
            file = self._name(*place, valid_unicode(sample.key))
            if isinstance(outcome, Caption):
                self._put_ours(file, valid_unicode(outcome.text).encode())
        elif isinstance(outcome, Caption):
            raise ConfigError(
                f"{valid_unicode(sample.path)} has no folder for a sidecar beside it: name an output folder"
            )

    def commit(self) -> JSON:
        files, self._unsynced = self._unsynced, set()
        with write_errors(self._root or "the sidecars"):
            sync_files(files)
        return {"written": self._written}

    def finish(self) -> None:
        self.commit()
        self.close()

    def close(self) -> None:
        if self._notes:
            self._notes.close()
        self._notes = None

    @property
    def outputs(self) -> list[Path | str]:
        return [self._root] if self._root else []

    @property
    def _known(self) -> Notes:
        assert self._notes, "open comes first"
        return self._notes

    def _place(self, sample: Sample) -> tuple[Path, str] | None:
        """The folder of the sidecar and the picture's name in it; None: nothing lies anywhere."""
        file = sample.location.file() if sample.location else None
        if file is None and sample.location and Path(text_to_name(sample.path)).is_file():
            file = text_to_name(sample.path)
        if isinstance(file, str):
            path = Path(os.path.abspath(file))  # noqa: PTH100 -- takes out "..", follows no link
            if self._root is None or path.is_relative_to(self._root):
                return path.parent, path.name
        if self._root is None:
            return None
        folders, name = relative_place(sample.key)
        folder = self._root.joinpath(*folders)
        if folder != self._safe_folder:
            if not folder.resolve().is_relative_to(self._root.resolve()):
                raise ConfigError(
                    f"{folder} leads out of the output folder by a link: remove it, or choose another output"
                )
            self._safe_folder = folder
        return folder, name

    def _name(self, folder: Path, picture: str, key: str, *, after: str = "") -> Path:
        """The sidecar's file for a sample: the first name that is free or has been its own.

        ``after``: only the names behind that id.
        """
        for name, common in candidates(picture, key):
            file = folder / name
            number = self._id(file)
            if after:
                after = "" if number == after else after
                continue
            owner = self._known.owner(number)
            if owner is None:
                self._known.give(number, Owner(key=key, picture=self._short(folder / picture), common=common))
                return file
            if owner.key == key:
                return file
            if owner.key is not None and owner.common:
                self._make_way(number, owner.key, Path(self._prefix + text_to_name(owner.picture)))
        raise AssertionError(f"{picture}: its last name is its own")

    def _make_way(self, number: str, key: str, picture: Path) -> None:
        """Move the sidecar of the first that had a common name to its full name.

        ``picture`` may lie in another folder than the one for whom it makes way: ``A/`` and ``a/``.
        The order of the steps lets a run that was killed between them do them again.
        """
        new = self._name(picture.parent, picture.name, key, after=number)
        names = (picture.with_name(name) for name, _ in candidates(picture.name, key))
        file = next(name for name in names if self._id(name) == number)  # may differ in case
        note, content = self._known.note(number), read(file)
        if note and content is not None and content != note.before and note.covers(content):
            self._put_ours(new, content)
            with write_errors(file):
                if note.before is None:
                    file.unlink()
                else:
                    self._put(file, note.before)
            self._known.forget(number)
        self._known.give(number, Owner(key=None, picture="", common=True))

    def _foreign(self, file: Path) -> bytes | None:
        content = read(file)
        if content is None:
            return None
        note = self._known.note(self._id(file))
        return note.before if note and note.covers(content) else content

    def _put_ours(self, file: Path, data: bytes) -> None:
        content, note = read(file), self._known.note(self._id(file))
        new = digest(data)
        if content is None:
            note = Note(last=new, previous=new, before=None)
        elif note and note.covers(content):
            note = Note(last=new, previous=digest(content), before=note.before)
        elif content == data:
            note = Note(last=new, previous=new, before=None)  # written when the power went
        elif note and note.last == new:
            return  # edited by hand since we wrote this: it is the user's now
        elif self._may_replace:
            note = Note(last=new, previous=new, before=content)
        else:
            raise exists(str(file))
        # First the note: what a killed run leaves must be known as ours.
        self._known.remember(self._id(file), note)
        if content != data:
            with write_errors(file):
                self._put(file, data)
        self._written += 1

    def _put(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(self._part)
        try:
            part.write_bytes(data)
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        self._unsynced.add(file)

    def _short(self, file: Path) -> str:
        """Its path below the output folder, as text."""
        return name_to_text(os.fspath(file).removeprefix(self._prefix))

    def _id(self, file: Path) -> str:
        """The same for two names that some file system takes for one."""
        name = self._short(file)
        if name.isascii():
            return name.lower()
        return unicodedata.normalize("NFC", name).casefold()


def read(file: Path) -> bytes | None:
    """The content of a sidecar, or None where there is none.

    Raises:
        SinkError: something else has its name, or it cannot be read.
    """
    with write_errors(file):
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                raise OSError(errno.EEXIST, "something that is no file has this name")
            return file.read_bytes()
        except FileNotFoundError:
            return None


def sync_files(files: set[Path]) -> None:
    """Make files and their names survive a power cut; many at once, so that they share the cost."""
    if files:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(_sync, files))
        for folder in {file.parent for file in files}:
            sync_folder(folder)


def _sync(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return  # made way for another since
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _decode(content: bytes) -> str:
    """UTF-8, with or without a mark; else Latin-1, in which every byte is a letter."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
