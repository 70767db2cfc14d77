"""The replies of ended batches, by picture and step."""

from __future__ import annotations

import array
import codecs
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.engine.batch_manifest import OVER, Batch, BatchManifest
from cutline.engine.batches.requests import line_of
from cutline.engine.content import SampleContent, is_about
from cutline.engine.prices import BATCH
from cutline.errors import EndpointUnusable, Rejected, Retryable, SampleError
from cutline.formatting import stored_key
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import JSON, Reply

_log = logging.getLogger(__name__)
_NOWHERE = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A request in a batch; ``row`` is its line in the service's files, if there is one."""

    batch: Batch
    content_id: str
    row: JSON | None


class ReplyFiles:
    """The requests of one batch in the order of their lines, and the offsets of their replies."""

    def __init__(self, manifest: BatchManifest, batch: Batch) -> None:
        self.batch = batch
        self._manifest = manifest
        self._keys = manifest.keys_file(batch.number)
        self._files = [path for _, path in manifest.answer_files(batch)]
        self._requests = array.array("q")
        self._replies = array.array("q")
        self.unknown = 0
        self.unread: list[str] = []

    def load(self) -> Iterator[tuple[str, int]]:
        """Read the files; yields each request's key and line."""
        for offset, row in self._manifest.keys(self.batch):
            self._requests.append(offset)
            yield row["key"], len(self._requests) - 1
        self._replies = array.array("q", [_NOWHERE]) * len(self._requests)
        for number, path in enumerate(self._files):
            for index, offset, line in _lines(path) if path.exists() else ():
                try:
                    place = self._place(orjson.loads(line))
                except orjson.JSONDecodeError:
                    self.unread.append(f"line {index} of {path.name}")
                    continue
                if place is None:
                    self.unknown += 1
                else:
                    self._replies[place] = offset * len(self._files) + number

    def _place(self, row: Any) -> int | None:
        try:
            place = line_of(self.batch.number, row["custom_id"])
        except (KeyError, TypeError):
            return None
        return place if place is not None and place < len(self._replies) else None

    def requests(self, line: int, key: str) -> dict[str, BatchRequest]:
        """The requests of a picture, the first of which is at ``line``, by step."""
        found: dict[str, BatchRequest] = {}
        for place in range(line, len(self._requests)):
            row = read_row(self._keys, self._requests[place])
            if stored_key(row["key"]) != key:
                break
            reply, at = None, self._replies[place]
            if at != _NOWHERE:
                offset, number = divmod(at, len(self._files))
                reply = read_row(self._files[number], offset)
            found[row["step"]] = BatchRequest(batch=self.batch, content_id=row["stamp"], row=reply)
        return found


class BatchReplies:
    """All requests in batches that are not collected; only their offsets are in memory."""

    def __init__(self) -> None:
        self._files: dict[int, ReplyFiles] = {}
        self._places: dict[int, tuple[int, int]] = {}

    def load(self, manifest: BatchManifest) -> None:
        """Read them; of a picture that changed and was sent twice, the later request counts."""
        self._files = {batch.number: ReplyFiles(manifest, batch) for batch in manifest.open_batches}
        for number, files in self._files.items():
            before = None
            for key, line in files.load():
                if key != before:
                    self._places[hash(key)] = (number, line)
                before = key
            if files.unread:
                shown = ", ".join(files.unread[:3]) + (" and more" if len(files.unread) > 3 else "")
                _log.warning("batch=%d cannot be read: %s; the other replies are used", number, shown)
            if files.unknown:
                _log.warning("batch=%d unknown_replies=%d", number, files.unknown)

    def has_unread(self, batch: Batch) -> bool:
        """Whether lines of the batch's files cannot be read, so that replies may be missing."""
        return batch.number in self._files and bool(self._files[batch.number].unread)

    def requests(self, key: str) -> Mapping[str, BatchRequest]:
        """A picture's requests by step; empty where none were sent."""
        key = stored_key(key)
        place = self._places.get(hash(key))
        return self._files[place[0]].requests(place[1], key) if place else {}


class RecordedCaptioner(Captioner):
    """A captioner of one picture, whose replies are in batches."""

    def __init__(
        self, endpoint: OpenAIChat, requests: Mapping[str, BatchRequest], content: SampleContent | None = None
    ) -> None:
        self.name = endpoint.name + BATCH
        self._endpoint = endpoint
        self._requests = requests
        self._content = content

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:  # noqa: ARG002 - the reply is recorded
        """The reply; raises as an ordinary request, and SampleError where there is none."""
        request = self._requests.get(prompt.name)
        if request is None or request.row is None:
            raise _missing(request.batch if request else None)
        reply = self._reply(request.row)
        if self._content is None or not await is_about(request.content_id, self._content, trusted=True):
            error = SampleError("changed", "it was changed after it was sent, so the reply does not apply")
            error.reply = reply
            raise error
        return reply

    def _reply(self, row: JSON) -> Reply:
        response, error = row.get("response"), row.get("error")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            answer = Answer(response["status_code"], {}, orjson.dumps(response.get("body")))
            try:
                return self._endpoint.reply_in(answer)
            except EndpointUnusable as refused:  # other pictures may have a reply
                raise Rejected("rejected", str(refused)) from None
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
        if code == "batch_expired":
            raise _expired()
        if code in {"batch_cancelled", "batch_canceled"}:
            raise _cancelled()
        message = str(error.get("message") or code) if isinstance(error, dict) else "no response"
        shown = self._endpoint.endpoint.shown
        raise Retryable("endpoint", f"{shown} failed in a batch: {' '.join(message.split())[:300]}")

    async def aclose(self) -> None:
        await self._endpoint.aclose()


def _missing(batch: Batch | None) -> SampleError:
    """Why there is no reply to a request of a batch that has ended."""
    if batch is not None and batch.status == "failed":
        reason = batch.problem or "no reason given"
        return SampleError("batch-failed", f"the service rejected the whole batch: {reason}")
    if batch is not None and batch.status == "expired":
        return _expired()
    if batch is not None and batch.status == "cancelled":
        return _cancelled()
    return SampleError("unanswered", "the batch ended without a reply to this request")


def _expired() -> SampleError:
    return SampleError("expired", "the batch expired before this request was processed")


def _cancelled() -> SampleError:
    return SampleError("cancelled", "the batch was cancelled before this request was processed")


def is_pending(request: BatchRequest) -> bool:
    """Whether its batch is still under way."""
    return request.row is None and request.batch.status not in OVER


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of each line but empty ones; a byte-order mark belongs to none."""
    offset = 0
    with path.open("rb") as file:
        for index, line in enumerate(file, start=1):
            mark = len(codecs.BOM_UTF8) if line.startswith(codecs.BOM_UTF8) else 0
            if line[mark:].strip():
                yield index, offset + mark, line[mark:]
            offset += len(line)


def read_row(path: Path, offset: int) -> Any:
    """The JSON line at an offset."""
    with path.open("rb") as file:
        file.seek(offset)
        return orjson.loads(file.readline())
