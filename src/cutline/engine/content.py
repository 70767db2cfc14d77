"""What a caption was made from, as journals record it, and whether a sample is still that."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import urllib.parse
import zlib
from collections.abc import Collection
from typing import Self

from cutline.chain import Chain
from cutline.errors import PictureError
from cutline.files import content_digest
from cutline.imaging import Picture
from cutline.interfaces import Sink
from cutline.prompts import look_up, sample_variables
from cutline.records import Sample
from cutline.worker_threads import in_thread

_BEGIN = "2|"  # of the form of these ids; before it there was only what ``listed`` is now
_VALIDATED = "3|"  # with a validator at the end


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContentId:
    """A picture and the values that went into its request.

    ``listed`` is what its source says of it unread, ``digest`` that of its bytes where they were read, and
    ``variables`` the digests of the prompt's variables. ``validator`` is what a server that sent it said of
    its version, see ``Location.etag``.
    """

    listed: str
    digest: str = ""
    variables: str = ""
    validator: str = ""
    old: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``; ``old`` for an id of another form, which is all in ``listed``."""
        if text.startswith(_VALIDATED) and text.count("|") >= 4:
            listed, digest, variables, validator = text[len(_VALIDATED) :].rsplit("|", 3)
            validator = urllib.parse.unquote(validator)
            return cls(listed=listed, digest=digest, variables=variables, validator=validator)
        if not text.startswith(_BEGIN) or text.count("|") < 3:
            return cls(listed=text, old=True)
        listed, digest, variables = text[len(_BEGIN) :].rsplit("|", 2)
        return cls(listed=listed, digest=digest, variables=variables)

    def __str__(self) -> str:
        text = _text_of(self.listed, self.digest, self.variables)
        if not self.validator:
            return text
        return f"{_VALIDATED}{text.removeprefix(_BEGIN)}|{urllib.parse.quote(self.validator)}"

    @property
    def unread(self) -> str:
        """What of it a listing of the source shows."""
        return f"{self.listed}|{self.variables}"


class SampleContent:
    """One sample's content now, against which earlier ids are compared."""

    __slots__ = ("_digest", "listed", "sample", "variables")

    def __init__(self, sample: Sample, variables: str) -> None:
        self.sample = sample
        self.listed = sample.content_id
        self.variables = variables
        self._digest: str | None = None

    def id(self, digest: str = "", validator: str = "") -> str:
        """The id; ``digest`` is that of the bytes that were read."""
        if not validator:
            return _text_of(self.listed, digest, self.variables)
        return str(
            ContentId(listed=self.listed, digest=digest, variables=self.variables, validator=validator)
        )

    def id_of(self, picture: Picture) -> str:
        """The id with what is known of a picture that was read or downloaded."""
        location = self.sample.location
        downloaded = location is not None and location.url() is not None
        return self.id(picture.digest, picture.etag if downloaded else "")

    @property
    def unread(self) -> str:
        return ContentId(listed=self.listed, variables=self.variables).unread

    def compare(self, content_id: str, *, trusted: bool = False) -> bool | None:
        """Whether an id is that of this content; None where only reading the picture tells.

        ``trusted``: an id from before there were any counts as the sample's.
        """
        known = ContentId.parse(content_id)
        if known.old:
            # Of a file its size was recorded, which a copy keeps.
            same = known.listed == self.listed or self.listed.startswith(f"{known.listed} ")
            return (same if known.listed else trusted or not self.listed) or False
        if not _agree(known.variables, self.variables):
            return False
        if known.listed == self.listed:
            return True
        location = self.sample.location
        return None if known.digest and location is not None and location.url() is None else False

    def matches(self, content_id: str, *, trusted: bool = False) -> bool:
        """As ``compare``, but reads the picture where that is needed; blocks."""
        same = self.compare(content_id, trusted=trusted)
        return self.digest == ContentId.parse(content_id).digest if same is None else same

    def renewed(self, content_id: str) -> str:
        """The id of this content, with the digest of an earlier one that matches."""
        known = ContentId.parse(content_id)
        return self.id() if known.old else self.id(known.digest, known.validator)

    @property
    def digest(self) -> str:
        """Of the picture's bytes, which are read the first time; empty where they cannot be."""
        if self._digest is None:
            assert self.sample.location is not None
            try:
                self._digest = content_digest(self.sample.location.read())
            except PictureError:
                self._digest = ""
        return self._digest


class ContentReader:
    """Makes the contents of samples; ``names`` are the variables that reach a prompt."""

    def __init__(self, names: Collection[str] = (), *, own_texts: bool = False) -> None:
        """``own_texts``: a sample's text may be the caption of an earlier run, so it does not count."""
        self._names = sorted(set(names))
        self._own_texts = own_texts

    def content(self, sample: Sample) -> SampleContent:
        return SampleContent(sample, self._variables(sample) if self._names else "")

    def _variables(self, sample: Sample) -> str:
        values = sample_variables(sample)
        names = self._names
        if self._own_texts and "text" not in sample.metadata:
            names = [name for name in names if name != "text"]
        return ",".join(f"{zlib.crc32(name.encode()):08x}:{_digest(look_up(name, values))}" for name in names)


def reader_for(chain: Chain, sink: Sink | None) -> ContentReader:
    """The reader for samples that a chain captions for a sink."""
    return ContentReader(chain.variables, own_texts=sink is not None and sink.keeps_captions)


def _text_of(listed: str, digest: str, variables: str) -> str:
    return f"{_BEGIN}{listed}|{digest}|{variables}"


async def is_about(content_id: str, content: SampleContent, *, trusted: bool = False) -> bool:
    """As ``SampleContent.matches``, which reads in a thread."""
    same = content.compare(content_id, trusted=trusted)
    return await in_thread(content.matches, content_id) if same is None else same


def _digest(value: object) -> str:
    data = json.dumps(value, default=str, sort_keys=True)
    return hashlib.blake2b(data.encode(), digest_size=6).hexdigest()


def _agree(known: str, now: str) -> bool:
    """Whether the variables that both prompts have are equal; another prompt is another matter."""
    if known == now or not known or not now:
        return True
    earlier = dict(pair.split(":") for pair in known.split(",") if ":" in pair)
    return all(
        earlier.get(name, value) == value for name, value in (pair.split(":") for pair in now.split(","))
    )
