"""A plug-in's model with blocking calls: ``infer`` in threads, or ``infer_batch``."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cutline.batcher import Batcher, OutOfMemory
from cutline.captioners.plugins.isolation import IsolatedCalls, PluginCode, capture
from cutline.captioners.plugins.results import reply_of
from cutline.captioners.plugins.turns import Turn, Turns
from cutline.errors import ConfigError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.slots import and_preparing

if TYPE_CHECKING:
    from PIL import Image

_log = logging.getLogger(__name__)

MAX_BATCH_SIZE: Final = 16
"""Pictures of a batch, where neither the class nor the user sets more."""
CLOSE_TIMEOUT: Final = 5.0  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    prompt: Prompt
    image: Image.Image
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Result:
    value: object
    error: BaseException | None
    seconds: float


class SyncModel(Captioner):
    """Calls ``infer`` or ``infer_batch`` of the object that ``start`` creates.

    ``threads`` calls of ``infer`` run at once, whoever has given up on one: a call keeps its turn until it
    returns. With a ``batch_size``, which may be ``auto``, waiting calls
    are gathered for ``infer_batch`` instead. Pictures are decoded for it, upright and in RGB, at most
    ``max_side`` pixels long.
    """

    profile = Profile(own_timeout=True)  # a call may wait long for its turn, which is not the model's fault

    def __init__(
        self,
        start: Callable[[], object],
        code: PluginCode,
        *,
        turns: Turns,
        threads: int,
        batch_size: int | str | None,
        max_side: int,
    ) -> None:
        self.name = code.name
        self._start = start
        self._code = code
        self._threads = threads
        self._max_side = max_side
        self._batch_size = batch_size
        self._turns = turns
        self._calls = IsolatedCalls(code, turns, limit=threads, replace=self._replace_model)
        self._model: Any = None
        self._opening = asyncio.Lock()
        self._batcher: Batcher[_Request, _Result] | None = None
        self._batch_turn: Turn | None = None  # of the last batch
        self._suspects = 0  # pictures of a batch that timed out, which are repeated one by one
        self._has_suspects = asyncio.Condition()
        if isinstance(batch_size, int) and batch_size < 1:
            raise ConfigError(f"--batch-size must be auto or greater than 0, not {batch_size}")

    @property
    def slots(self) -> int:
        return and_preparing(self._threads) if self._batch_size is None else 2 * self.at_once

    @property
    def at_once(self) -> int:
        """Calls, or pictures of a batch, without those that are prepared meanwhile."""
        if self._batch_size is None:
            return self._threads
        return self._batch_size if isinstance(self._batch_size, int) else MAX_BATCH_SIZE

    async def open(self, say: Say = silent) -> None:
        """Create the model once; raises ConfigError when it cannot be created."""
        async with self._opening:
            if self._model is None:
                say(f"loading {self.name}")
                self._model = await self._calls.start(self._start)

    def halt(self) -> None:
        self._calls.halt()
        if self._batcher is not None:
            self._batcher.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            PictureError: it cannot be decoded.
            SampleError: ``captioner``, when the model returns something else than a caption.
            Rejected: ``timeout``.
            Exception: what the model raises.
        """
        if self._model is None:
            await self.open()
        image = await asyncio.to_thread(picture.image, max_side=self._max_side)
        request = _Request(prompt, image, picture.path)
        if self._batch_size is not None:
            result = await self._infer_in_batch(request)
            if result.error is not None:
                raise self._code.sample_error(result.error)
            return reply_of(result.value, model=self.name, seconds=result.seconds)
        turn = await self._calls.turn()
        if self._model is None:  # it was replaced meanwhile
            await self._open_for(turn)
        model, start = self._model, time.perf_counter()
        value = await self._calls.call(
            turn, lambda: model.infer(prompt=prompt, image=image, image_name=request.name)
        )
        return reply_of(value, model=self.name, seconds=time.perf_counter() - start)

    async def _open_for(self, turn: Turn) -> None:
        try:
            await self.open()
        except BaseException:
            turn.end()
            raise

    def _replace_model(self) -> None:
        """Have the next call create another model: all turns of this one are lost."""
        _log.warning("%s does not return from %d calls; it is loaded again", self.name, self._threads)
        self._model = None

    async def aclose(self) -> None:
        """End the batches, wait for calls, and call the model's own ``close()``, if it has one."""
        batcher, self._batcher = self._batcher, None
        if batcher is not None:
            await asyncio.to_thread(batcher.close)
        model, self._model = self._model, None
        close = getattr(model, "close", None)
        if callable(close):
            await self._close(close)
        self._calls.close()

    async def _close(self, close: Callable[[], object]) -> None:
        """Call ``close`` of the model, unless a call of it does not return."""
        code = dataclasses.replace(self._code, timeout=min(CLOSE_TIMEOUT, self._code.timeout))
        calls = IsolatedCalls(code, self._turns, limit=self._threads)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._calls.wait_until_idle()
                turn = await calls.turn()
            await calls.call(turn, close)
        except TimeoutError:
            _log.warning("close model=%s was not called: a call of it does not return", self.name)
        except Exception as error:  # noqa: BLE001 - all captions are there; what it holds ends with the program
            _log.warning("close model=%s failed: %s", self.name, error)
        finally:
            calls.close()

    async def _infer_in_batch(self, request: _Request) -> _Result:
        """The result of one picture; when its batch times out, it is repeated alone."""
        size = self._batch_size if isinstance(self._batch_size, int) else 0
        while True:
            async with self._has_suspects:
                await self._has_suspects.wait_for(lambda: not self._suspects)
            if self._model is None:
                await self.open()
            if self._batcher is None:
                run = functools.partial(self._run, self._model)
                self._batcher = Batcher([run], size=size, max_size=MAX_BATCH_SIZE)
            batcher = self._batcher
            try:
                return await batcher.submit(request, seconds=self._code.timeout)
            except TimeoutError:
                return await self._repeat_alone(request, batcher)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if batcher is self._batcher or task is None or task.cancelling():
                    raise  # else it only waited behind the batch that timed out

    async def _repeat_alone(self, request: _Request, batcher: Batcher[_Request, _Result]) -> _Result:
        """One picture of the batch is the cause: the others will succeed. No batch is begun meanwhile."""
        self._suspects += 1
        try:
            if batcher is self._batcher:
                self._batcher = None
                threading.Thread(target=batcher.close, name="cutline-background", daemon=True).start()
                if self._batch_turn is not None:
                    self._calls.watch(self._batch_turn)
            turn = await self._calls.turn()  # which the batch has until it returns
            if self._model is None:
                await self._open_for(turn)
            model = self._model
            result = await self._calls.call(turn, lambda: self._infer(model, [request])[0])
            assert isinstance(result, _Result)
            return result
        finally:
            self._suspects -= 1
            if not self._suspects:
                async with self._has_suspects:
                    self._has_suspects.notify_all()

    def _run(self, model: Any, requests: list[_Request]) -> list[_Result]:
        """As ``_infer``, when it is the batch's turn; in the batcher's thread."""
        turn = self._batch_turn = self._turns.take_in_thread(self._threads)
        try:
            return self._infer(model, requests)
        finally:
            turn.end()

    def _infer(self, model: Any, requests: list[_Request]) -> list[_Result]:
        """A batch's results. What fails as a batch is raised, so that its halves are tried."""
        start = time.perf_counter()
        results, error = capture(
            lambda: model.infer_batch(
                prompts=[request.prompt for request in requests],
                images=[request.image for request in requests],
                image_names=[request.name for request in requests],
            )
        )
        seconds = (time.perf_counter() - start) / len(requests)
        problem = ""
        if not isinstance(results, Sequence) or isinstance(results, str | bytes):
            problem = f"a {type(results).__name__}, not a list"
        elif len(results) != len(requests):
            problem = f"{len(results)} results for {len(requests)} pictures"
        elif error is None:
            return [_Result(result, None, seconds) for result in results]
        if error is None:
            error = SampleError("captioner", f"{self.name}: infer_batch returned {problem}")
        if len(requests) == 1:
            return [_Result(None, error, seconds)]
        raise OutOfMemory if isinstance(error, MemoryError) else RuntimeError(type(error).__name__)
