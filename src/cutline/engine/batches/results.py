"""The answers of batches that have ended, found by the picture and the prompt they are for."""

from __future__ import annotations

import array
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.engine.batch_manifest import OVER, Batch, BatchManifest
from cutline.engine.batches.requests import KeyedPicture, line_of
from cutline.engine.prices import BATCH
from cutline.errors import EndpointUnusable, Rejected, Retryable, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import JSON, Reply

_log = logging.getLogger(__name__)
_UNDONE = {"batch_expired": "expired", "batch_cancelled": "cancelled", "batch_canceled": "cancelled"}
_NOWHERE = -1
NOT_SENT, TO_COME = "not-sent", "to-come"
"""The kinds of what has no answer yet: such a picture has not failed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A request in a batch; ``row`` is its line in the service's files, None where there is none."""

    batch: Batch
    content_id: str
    row: JSON | None


class Shelf:
    """The requests of one batch in the order of their lines, and where the answers to them lie."""

    def __init__(self, ledger: BatchManifest, batch: Batch) -> None:
        self.batch = batch
        self._ledger = ledger
        self._keys = ledger.keys_file(batch.number)
        self._files = [path for _, path in ledger.answer_files(batch)]
        self._requests = array.array("q")
        self._answers = array.array("q")
        self.unknown = 0

    def load(self) -> Iterator[tuple[str, int]]:
        """Read the files; yields each request's key and line."""
        for offset, row in self._ledger.keys(self.batch):
            self._requests.append(offset)
            yield row["key"], len(self._requests) - 1
        self._answers = array.array("q", [_NOWHERE]) * len(self._requests)
        for which, path in enumerate(self._files):
            for offset, line in _lines(path) if path.exists() else ():
                place = self._place(line)
                if place is None:
                    self.unknown += 1
                else:
                    self._answers[place] = offset * len(self._files) + which

    def _place(self, line: bytes) -> int | None:
        try:
            place = line_of(self.batch.number, orjson.loads(line)["custom_id"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        return place if place is not None and place < len(self._answers) else None

    def found(self, line: int, key: str) -> dict[str, Found]:
        """The requests about a picture, the first of which is at ``line``, by their prompts."""
        found: dict[str, Found] = {}
        for place in range(line, len(self._requests)):
            row = _row(self._keys, self._requests[place])
            if row["key"] != key:
                break
            at = self._answers[place]
            answer = None
            if at != _NOWHERE:
                offset, which = divmod(at, len(self._files))
                answer = _row(self._files[which], offset)
            found[row["step"]] = Found(batch=self.batch, content_id=row["stamp"], row=answer)
        return found


class Answers:
    """Everything in batches that are not collected; only places are kept in memory."""

    def __init__(self) -> None:
        self._shelves: dict[int, Shelf] = {}
        self._places: dict[int, tuple[int, int]] = {}

    def load(self, ledger: BatchManifest) -> None:
        """Read all of it; of a picture that was sent twice, as it had changed, the later one counts."""
        self._shelves = {batch.number: Shelf(ledger, batch) for batch in ledger.open_batches}
        for number, shelf in self._shelves.items():
            before = None
            for key, line in shelf.load():
                if key != before:
                    self._places[hash(key)] = (number, line)
                before = key
            if shelf.unknown:
                _log.warning(
                    "batch=%d lines=%d of the answers are for nothing that was sent", number, shelf.unknown
                )

    def of(self, key: str) -> dict[str, Found]:
        """What was asked about a picture, by prompt; empty where nothing was."""
        place = self._places.get(hash(key))
        return self._shelves[place[0]].found(place[1], key) if place else {}


class Collected(Captioner):
    """A captioner that gives the answers that came, as if they came now."""

    def __init__(self, endpoint: OpenAIChat, answers: Answers) -> None:
        self.name = endpoint.name + BATCH
        self._endpoint = endpoint
        self._answers = answers

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        assert isinstance(picture, KeyedPicture)
        found = self._answers.of(picture.key).get(prompt.name)
        if found is None:
            raise SampleError(NOT_SENT, "it is in no batch")
        if found.row is None:
            raise _unanswered(found.batch)
        reply = self._reply(found.row)
        if found.content_id != picture.content_id:
            error = SampleError(
                "changed", "it was changed after it was sent, and the answer is about what it was"
            )
            error.reply = reply
            raise error
        return reply

    def _reply(self, row: JSON) -> Reply:
        """The reply in one line of a service's file; raises what an ordinary request would."""
        response, error = row.get("response"), row.get("error")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            answer = Answer(response["status_code"], {}, orjson.dumps(response.get("body")))
            try:
                return self._endpoint.reply_in(answer)
            except EndpointUnusable as refused:  # the others have their answers all the same
                raise Rejected("rejected", str(refused)) from None
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
        if _UNDONE.get(code) == "expired":
            raise _expired()
        if _UNDONE.get(code) == "cancelled":
            raise _cancelled()
        words = str(error.get("message") or code) if isinstance(error, dict) else "nothing"
        shown = self._endpoint.endpoint.shown
        raise Retryable("endpoint", f"{shown} answered in a batch: {' '.join(words.split())[:300]}")

    async def aclose(self) -> None:
        await self._endpoint.aclose()


def _unanswered(batch: Batch) -> SampleError:
    if batch.status == "expired":
        return _expired()
    if batch.status == "cancelled":
        return _cancelled()
    if batch.status == "failed":
        return SampleError(
            "batch-failed", f"the service took none of the batch: {batch.problem or 'it does not say why'}"
        )
    if batch.status in OVER:
        return SampleError("unanswered", "the batch has ended without an answer to this")
    return SampleError(TO_COME, "its batch is under way")


def _expired() -> SampleError:
    return SampleError("expired", "the batch's time was over before it was asked")


def _cancelled() -> SampleError:
    return SampleError("cancelled", "the batch was cancelled before it was asked")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield offset, line
            offset += len(line)


def _row(path: Path, offset: int) -> Any:
    with path.open("rb") as file:
        file.seek(offset)
        return orjson.loads(file.readline())
