"""Sidecars: a text file for each picture, beside it or under an output folder."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cutline.errors import ConfigError, OutputKept, SampleError
from cutline.files import file_errors, name_to_text, sync_files, text_to_name, write_errors
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Outcome, Sample, Skip
from cutline.serialization import valid_unicode
from cutline.sidecars import EncodingReport, TextDecoder, sidecar_ending
from cutline.sidecars.claims import FolderClaim
from cutline.sidecars.decoder import check_joinable
from cutline.sidecars.names import ActualNames, candidates, relative_place
from cutline.sidecars.obstacles import check_replaceable
from cutline.sidecars.ownership import Owner, SidecarOwnership, Written, digest, file_id
from cutline.sidecars.replaced import undo_lines
from cutline.sidecars.text_files import SidecarFiles
from cutline.sinks.options import SinkOptions
from cutline.sinks.sidecar_places import SidecarPlaces, homeless
from cutline.storage import is_remote, local_path

EDITED = "edited by hand"  # why a picture is skipped


class SidecarSink(Sink):
    """``photo.txt`` for ``photo.jpg``; where pictures share a stem, ``photo.jpg.txt`` for each.

    ``output`` is the folder under which the keys' folders are mirrored; a picture that is in it
    gets its sidecar beside it, and with an empty ``output`` every picture does. A file whose name
    differs only in case is the sidecar; a rewritten file keeps its encoding, mark and line ends.
    """

    resumable = False  # files are written, and may be deleted, one by one
    keeps_captions = True

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        if is_remote(output):
            raise ConfigError(
                f"sidecars cannot be written to {output}: choose a folder on this machine, "
                "or another format for remote storage"
            )
        self._root = Path(os.path.abspath(local_path(output))) if output else None  # noqa: PTH100 - resolve() would follow links
        self._prefix = os.path.join(self._root, "") if self._root else ""  # noqa: PTH118 - with a slash
        self._state = state
        self._ownership: SidecarOwnership | None = None
        self._joins = options.existing in {"append", "prepend"}
        self._may_replace = options.overwrite or options.existing not in {None, "skip"}
        self._files = SidecarFiles(
            self._root,
            part=f".cutline-{hashlib.blake2b(os.fsencode(state), digest_size=4).hexdigest()}.part",
            follow_links=options.follow_links,
            overwrites=options.existing == "overwrite",
        )
        self._claim: FolderClaim | None = None
        self._unsynced: set[Path] = set()
        self._written = 0
        self._replaced = 0
        self._ending = sidecar_ending(options.sidecar_ext)
        self._actual = ActualNames(self._ending).of
        self._places = SidecarPlaces(self._root, self._ending, follow_links=options.follow_links)
        self._decoder = TextDecoder(
            options.text_encoding, root=str(self._root or ""), ending=sidecar_ending(options.sidecar_ext)
        )
        self._encodings = EncodingReport(self._decoder)

    def open(self, mark: JSON | None) -> None:
        self.close()
        if self._root:
            if self._root.exists() and not self._root.is_dir():
                raise ConfigError(f"{self._root} is a file: sidecars need the name of a folder")
            with write_errors(self._root):
                self._root.mkdir(parents=True, exist_ok=True)
            self._claim = FolderClaim(self._root, self._ending)
        self._ownership = SidecarOwnership(self._state / "sidecars.sqlite")
        self._replaced = self._ownership.replaced()
        self._written = mark["written"] if mark else 0
        if mark is None:
            self._ownership.release_names()

    def existing_text(self, sample: Sample) -> str | None:
        """The caption in a sidecar before this job; None where there is none.

        SampleError: ``sidecar``, when it cannot be read, or cannot be extended without a loss.
        """
        place = self._places.of(sample)
        if place is None:
            return None
        folder, picture = place
        names = [name for name, _ in candidates(picture, sample.key, self._ending)][:-1]
        for name in reversed(names):
            file = self._actual(folder / name)
            content = self._files.read(file)
            written = self._known.written(self._id(file)) if content is not None else None
            if content is not None and written and written.covers(content):
                content = written.before
            text = self._decoder.decode(content or b"", os.fspath(folder))
            if not text.caption:
                continue
            if self._joins:
                check_joinable(file, text)
            if text.caption != sample.text and not sample.text_problem:  # else the source has reported it
                self._encodings.note_read(os.fspath(file), text)
            return None if text.unsure and self._may_replace else text.caption
        return None

    def check_write(self, sample: Sample, text: str | None = None) -> None:
        """SampleError ``sidecar``, or OutputKept for one that was edited by hand."""
        place = self._places.of(sample)
        if place is None:
            raise homeless(sample)
        file = self._actual(self._expected_name(*place, valid_unicode(sample.key)))
        check_replaceable(file)
        content = self._files.read(file)
        if content is not None:
            self._check_content(file, content, text, self._known.written(self._id(file)))

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if sample.problem is not None and sample.problem.skip:
            return  # nothing that could be captioned, such as a picture that came before
        try:
            place = self._places.of(sample)
        except SampleError:
            if isinstance(outcome, Caption):
                raise
            return
        if place is not None:
            # Every other sample takes its name, so that names do not depend on which samples fail.
            file = self._name(*place, valid_unicode(sample.key))
            if isinstance(outcome, Caption):
                model = outcome.source.reply.model if outcome.source is not None else ""
                self._put_ours(file, valid_unicode(outcome.text), model)
            elif isinstance(outcome, Skip) and outcome.reason == EDITED:
                self._encodings.note_edited(os.fspath(self._actual(file)))
        elif isinstance(outcome, Caption):
            raise homeless(sample)

    def commit(self) -> JSON:
        files, self._unsynced = self._unsynced, set()
        with write_errors(self._root or "the sidecars"):
            sync_files(files)
        return {"written": self._written}

    def finish(self) -> None:
        self.commit()
        if self._replaced:
            self._known.end_run()
        self.close()

    def close(self) -> None:
        if self._ownership:
            self._ownership.close()
        self._ownership = None
        if self._claim:
            self._claim.release()
        self._claim = None

    @property
    def outputs(self) -> list[Path | str]:
        return [self._root] if self._root else []

    @property
    def warnings(self) -> Sequence[str]:
        return [*self._encodings.lines(), *undo_lines(self._replaced, self._root, self._state)]

    @property
    def _known(self) -> SidecarOwnership:
        assert self._ownership, "open comes first"
        return self._ownership

    def _expected_name(self, folder: Path, picture: str, key: str) -> Path:
        """What ``_name`` will return, unless a picture that comes before takes it."""
        names = list(candidates(picture, key, self._ending))
        if self._was_there(folder / names[-2][0]):
            names = names[-2:]
        owners = ((folder / name, self._known.owner(self._id(folder / name))) for name, _ in names)
        free = (file for file, owner in owners if owner is None or owner.key == key)
        return next(free, folder / names[-1][0])

    def _name(self, folder: Path, picture: str, key: str, *, after: str = "") -> Path:
        """The first sidecar name that is free or the sample's, among those behind the id ``after``."""
        names = list(candidates(picture, key, self._ending))
        if not after and self._was_there(folder / names[-2][0]):
            names = names[-2:]  # that of others is rewritten in place
        for name, common in names:
            file = folder / name
            number = self._id(file)
            if after:
                after = "" if number == after else after
                continue
            owner = self._known.owner(number)
            if owner is None:
                self._known.assign(
                    number, Owner(key=key, picture=self._short(folder / picture), common=common)
                )
                return file
            if owner.key == key:
                return file
            if owner.key is not None and owner.common:
                self._make_way(number, owner.key, self._picture(owner, owner.key, folder))
        raise AssertionError(f"{picture}: its last name is its own")

    def _picture(self, owner: Owner, key: str, folder: Path) -> Path:
        """The picture of the owner of a name in ``folder``; it may be in ``A/`` where that is ``a/``.

        State folders of old versions have only the picture's name: the folder is then that of the key.
        """
        picture = Path(self._prefix + text_to_name(owner.picture))
        if self._id(picture.parent) == self._id(folder):
            return picture
        folders, _ = relative_place(key, self._ending)
        place = folder.parents[len(folders) - 1].joinpath(*folders) if folders else folder
        return (place if self._id(place) == self._id(folder) else folder) / picture.name

    def _was_there(self, file: Path) -> bool:
        """Whether a file with this name is not only this job's."""
        if not os.path.lexists(self._actual(file)):
            return False
        written = self._known.written(self._id(file))
        return written is None or written.before is not None

    def _make_way(self, number: str, key: str, picture: Path) -> None:
        """Move the sidecar of the first sample with a common name to its full name; can be repeated."""
        new = self._name(picture.parent, picture.name, key, after=number)
        names = (picture.with_name(name) for name, _ in candidates(picture.name, key, self._ending))
        file = self._actual(next(name for name in names if self._id(name) == number))
        written, content = self._known.written(number), self._files.read(file)
        if written and content is not None and content != written.before and written.covers(content):
            self._put_ours(new, self._decoder.decode(content, os.fspath(file.parent)).caption)
            with file_errors(file):
                if written.before is None:
                    file.unlink()
                else:
                    self._put(file, written.before)
            self._known.forget(number)
        self._known.assign(number, Owner(key=None, picture="", common=True))

    def _check_content(self, file: Path, content: bytes, text: str | None, written: Written | None) -> None:
        """Raise where a file keeps its content, or cannot be joined with ``text``."""
        if written and written.covers(content):
            return
        found = self._decoder.decode(content, os.fspath(file.parent))
        if not found.caption or found.caption == text:
            return
        if written:
            raise OutputKept(EDITED, f"{file} was edited by hand; it is captioned again once it is deleted")
        if self._joins:
            check_joinable(file, found)
        if text is not None and not self._may_replace:
            raise SampleError("sidecar", f"{file} holds a text that this job did not write, and keeps it")

    def _put_ours(self, file: Path, text: str, model: str = "") -> None:
        file = self._actual(file)
        check_replaceable(file)
        content, written = self._files.read(file), self._known.written(self._id(file))
        before, previous = written.before if written else None, None
        rewrite = functools.partial(self._decoder.rewrite, caption=text, folder=os.fspath(file.parent))
        if content is None:
            data, before = self._decoder.new(text), None
        else:
            self._check_content(file, content, text, written)
            if written and written.covers(content):
                data, previous = rewrite(before), content
            elif content == self._decoder.new(text):  # written before a power cut that undid the record
                data, before = content, None
            else:
                data, before = rewrite(content), content
        # The record first: what a killed run leaves must be known as ours.
        digests = digest(data), digest(data if previous is None else previous)
        self._known.record(self._id(file), Written(last=digests[0], previous=digests[1], before=before))
        if content != data:
            if content:
                self._replaced += self._known.keep(self._short(file), content, data, model)
            with file_errors(file):
                self._put(file, data)
            if before is not None:
                old = self._decoder.decode(before, os.fspath(file.parent))
                self._encodings.note_rewritten(os.fspath(file), old, data)
        self._written += 1

    def _put(self, file: Path, data: bytes) -> None:
        self._files.write(file, data)
        self._unsynced.add(file)

    def _short(self, file: Path) -> str:
        """Its path below the output folder, as text."""
        return name_to_text(os.fspath(file).removeprefix(self._prefix))

    def _id(self, file: Path) -> str:
        """The same for two names that a file system may treat as one."""
        return file_id(self._short(file))
