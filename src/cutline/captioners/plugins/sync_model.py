"""A model of the user's own whose calls block: asked in threads, one picture or a batch at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cutline.batcher import Batcher, OutOfMemory
from cutline.captioners.plugins.isolation import Calls, attempt, harmless
from cutline.captioners.plugins.results import reply_of
from cutline.errors import ConfigError, SampleError
from cutline.imaging import Picture
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.slots import Slots, and_preparing
from cutline.worker_threads import in_thread

if TYPE_CHECKING:
    from PIL import Image

_log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 16
"""Pictures of a batch, where neither the class nor the user says more."""
CLOSING: Final = 5.0  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    prompt: Prompt
    image: Image.Image
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Ended:
    """What came of a question within a batch of ``size``."""

    result: object
    error: BaseException | None
    seconds: float


class ThreadedModel:
    """Asks the object that ``start`` makes, through ``infer`` or ``infer_batch``.

    ``threads`` calls of ``infer`` run at once. With a ``batch_size``, which may be ``auto``, calls that wait
    are gathered for ``infer_batch`` instead. Pictures are opened for it, upright and in RGB, at most
    ``max_side`` pixels long. ``timeout`` in seconds for each picture.
    """

    keeps_time = True  # a call may wait long for its turn, for which nobody is to blame

    def __init__(
        self,
        start: Callable[[], object],
        *,
        name: str,
        file: str | None,
        threads: int,
        batch_size: int | str | None,
        max_side: int,
        timeout: float,
    ) -> None:
        self.name = name
        self._start = start
        self._timeout = timeout
        self._threads = threads
        self._max_side = max_side
        self._batch_size = batch_size
        self._file = file
        self._calls = Calls(name, file=file, timeout=timeout)
        self._model: Any = None
        self._opening = asyncio.Lock()
        self._turns = Slots(lambda: threads)
        self._batching: Batcher[_Question, _Ended] | None = None
        self._alone = asyncio.Lock()
        if isinstance(batch_size, int) and batch_size < 1:
            raise ConfigError(f"--batch-size must be auto or greater than 0, not {batch_size}")

    @property
    def slots(self) -> int:
        if self._batch_size is None:
            return and_preparing(self._threads)
        return 2 * (self._batch_size if isinstance(self._batch_size, int) else MOST_AT_ONCE)

    @property
    def at_once(self) -> int:
        """Calls, or pictures of a batch, without those that are prepared meanwhile."""
        if self._batch_size is None:
            return self._threads
        return self._batch_size if isinstance(self._batch_size, int) else MOST_AT_ONCE

    async def open(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Make the model, unless that was done; raises ConfigError when it cannot be made."""
        async with self._opening:
            if self._model is None:
                say(f"loading {self.name}")
                self._model = await self._calls.start(self._start)

    def halt(self) -> None:
        self._turns.halt()
        if self._batching is not None:
            self._batching.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Ask about one picture.

        Raises:
            PictureError: it cannot be opened.
            SampleError: ``captioner``, when the model gives nonsense.
            Rejected: ``timeout``.
            Exception: what the model raises.
        """
        if self._model is None:
            await self.open()
        image = await in_thread(picture.image, max_side=self._max_side)
        question = _Question(prompt, image, picture.path)
        if self._batch_size is not None:
            ended = await self._in_a_batch(question)
            if ended.error is not None:
                raise harmless(ended.error, self._file)
            return reply_of(ended.result, model=self.name, seconds=ended.seconds)
        model = self._model
        async with self._turns.one():
            start = time.perf_counter()
            result = await self._calls.call(
                lambda: model.infer(prompt=prompt, image=image, image_name=question.name)
            )
        return reply_of(result, model=self.name, seconds=time.perf_counter() - start)

    async def aclose(self) -> None:
        """End the batches, and let the model close what it holds, if it has ``close()``."""
        batching, self._batching = self._batching, None
        if batching is not None:
            await in_thread(batching.close)
        model, self._model = self._model, None
        close = getattr(model, "close", None)
        if callable(close):
            limit = min(CLOSING, self._timeout)
            try:
                await Calls(self.name, file=self._file, timeout=limit).call(close)
            except Exception as error:  # noqa: BLE001 - all captions are there; what it holds ends with the program
                _log.warning("close model=%s failed: %s", self.name, error)

    async def _in_a_batch(self, question: _Question) -> _Ended:
        """The question's answer; where its batch does not come back, asked again, alone."""
        while True:
            batching = self._batching = self._batching or self._new_batching()
            try:
                return await batching.submit(question, seconds=self._timeout)
            except TimeoutError:
                self._leave(batching)
                async with self._alone:  # one picture of the batch is to blame: the others will do
                    result = await self._calls.call(lambda: self._run([question])[0])
                assert isinstance(result, _Ended)
                return result
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if batching is self._batching or task is None or task.cancelling():
                    raise  # else it only waited behind the batch that does not come back

    def _leave(self, batching: Batcher[_Question, _Ended]) -> None:
        """Have later pictures go into batches of another thread."""
        if batching is self._batching:
            self._batching = None
            threading.Thread(target=batching.close, name="cutline-background", daemon=True).start()

    def _new_batching(self) -> Batcher[_Question, _Ended]:
        size = self._batch_size
        return Batcher([self._run], size=size if isinstance(size, int) else 0, most=MOST_AT_ONCE)

    def _run(self, questions: list[_Question]) -> list[_Ended]:
        """A batch's results. What fails as a batch is raised, so that its halves are tried."""
        start = time.perf_counter()
        results, error = attempt(
            lambda: self._model.infer_batch(
                prompts=[question.prompt for question in questions],
                images=[question.image for question in questions],
                image_names=[question.name for question in questions],
            )
        )
        if error is None:
            error = _not_as_many(results, len(questions), self.name)
        seconds = (time.perf_counter() - start) / len(questions)
        if error is None:
            assert isinstance(results, Sequence)
            return [_Ended(result, None, seconds) for result in results]
        if len(questions) == 1:
            return [_Ended(None, error, seconds)]
        raise OutOfMemory if isinstance(error, MemoryError) else RuntimeError(type(error).__name__)


def _not_as_many(results: object, wanted: int, name: str) -> SampleError | None:
    if not isinstance(results, Sequence) or isinstance(results, str | bytes):
        return SampleError("captioner", f"{name}: infer_batch gave no list, but a {type(results).__name__}")
    if len(results) != wanted:
        return SampleError(
            "captioner", f"{name}: infer_batch gave {len(results)} results for {wanted} pictures"
        )
    return None
