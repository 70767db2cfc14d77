"""The generations of the open dataset: start them, and continue interrupted ones."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cutline.dataset.dataset import Dataset
from cutline.dataset.opened_input import history_folder
from cutline.dataset.records import EditInfo
from cutline.dataset.writer import Progress
from cutline.engine.model_session import ModelSession
from cutline.engine.preview import Estimate, estimate
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.model_runtime import Runtime, started_runtime
from cutline.service.errors import ServiceError
from cutline.studio.generation.captioners import VARIABLES
from cutline.studio.generation.choice import Choice, Policy
from cutline.studio.generation.generation import Generation, GenerationResult
from cutline.studio.generation.sink import HistorySink
from cutline.studio.generation.source import RowSource
from cutline.studio.generation.unfinished import keep_request, read_request, requests
from cutline.studio.settings import StudioSettings

_FOLDER: Final = "generations"
_AGAIN: Final = "-again"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to caption, and how.

    ``again``: ignore the captions of an unfinished generation of the same choice.
    """

    choice: Choice
    rows: Sequence[int]
    policy: Policy = "missing"
    write: bool = False
    again: bool = False

    @property
    def id(self) -> str:
        """The name of its state, which all orders with the same choice share."""
        return f"{self.choice.id}{_AGAIN}" if self.again else self.choice.id


class Generations:
    """Runs generations, and keeps the captioner of the latest one loaded."""

    def __init__(self, settings: StudioSettings) -> None:
        self._settings = settings
        self._runtime: Runtime | None = None
        self._session: ModelSession | None = None
        self._running: set[str] = set()

    async def prepare(
        self, dataset: Dataset, order: Order, changed: Callable[[Sequence[int]], None]
    ) -> Generation:
        """Prepare the generation of an order; it continues an unfinished one.

        Raises as ``Choice.job``, and ServiceError 409: it is already running.
        """
        if order.id in self._running:
            raise ServiceError(409, f"{order.choice.name} is already captioning with these settings")
        self._running.add(order.id)
        try:
            state = _state(dataset) / order.id
            job = order.choice.job(dataset, state, order.policy, self._settings)
            session = await self._opened(job)
            verb = "write captions" if order.write else "propose captions"
            info = EditInfo(kind="generate", summary=f"{verb} by {session.name}", model=session.name)
            await asyncio.to_thread(_keep, dataset, state, order)
            keys = {dataset.entries[row].key: row for row in order.rows}
            sink = HistorySink(dataset, keys, info, changed, policy=order.policy, write=order.write)
            return Generation(RowSource(dataset, order.rows), sink, job, state)
        except BaseException:
            self._running.discard(order.id)
            raise

    def run(self, order: Order, generation: Generation, progress: Progress) -> GenerationResult:
        """Blocks; raises as ``Generation.run``."""
        try:
            return generation.run(started_runtime(), progress)
        finally:
            self._running.discard(order.id)

    async def estimate(self, dataset: Dataset, order: Order) -> Estimate:
        """Caption a few of the pictures; raises as ``estimate`` of the engine."""
        state = _state(dataset) / "estimate"
        job = order.choice.job(dataset, state, order.policy, self._settings)
        await self._opened(job)
        runtime = started_runtime()
        source = RowSource(dataset, order.rows)
        return await runtime.loop.arun(estimate(job, source=source, pool=runtime.pool))

    def unfinished(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Interrupted generations: ``id``, ``choice``, ``rows`` and ``time``."""
        found = []
        for number, request in requests(_state(dataset)):
            if number not in self._running:
                shown = {name: request[name] for name in ("choice", "policy", "write", "time")}
                found.append({"id": number, "rows": len(request["keys"]), **shown})
        return found

    def order(self, dataset: Dataset, number: str) -> Order:
        """The order of an unfinished generation; ServiceError 404: there is none."""
        request = read_request(self._folder(dataset, number)) or {}
        rows = {entry.key: row for row, entry in enumerate(dataset.entries)}
        try:
            return Order(
                choice=Choice(**request["choice"]),
                rows=[rows[key] for key in request["keys"] if key in rows],
                policy=request["policy"],
                write=request["write"],
            )
        except (KeyError, TypeError, ValidationError):
            raise _unknown(number) from None

    def discard(self, dataset: Dataset, number: str) -> None:
        """Discard an unfinished generation and its paid replies; ServiceError 404 or 409."""
        folder = self._folder(dataset, number)
        if number in self._running:
            raise ServiceError(409, "it is running: stop it first")
        shutil.rmtree(folder, ignore_errors=True)

    async def close(self) -> None:
        if self._session is not None and self._runtime is not None:
            await self._runtime.loop.arun(self._runtime.close(self._session))
        self._session = None

    def _folder(self, dataset: Dataset, number: str) -> Path:
        folder = _state(dataset) / number
        if Path(number).name != number or read_request(folder) is None:
            raise _unknown(number)
        return folder

    async def _opened(self, job: Job) -> ModelSession:
        """The captioner of a job, not loaded yet; a different earlier one is closed."""
        runtime = self._runtime = started_runtime()

        async def change() -> ModelSession:
            session = ModelSession(job, None, runtime.pool)  # before the other is closed: they may share
            runtime.sessions.add(session)
            if self._session is not None:
                await runtime.close(self._session)
            return session

        self._session = await runtime.loop.arun(change())
        if self._session.ignores_prompt:
            raise ConfigError(
                f"{self._session.name} follows no instructions, and uses only the form of a prompt: use "
                "short, alt-text or tags, or no prompt"
            )
        if unknown := sorted(self._session.variables - VARIABLES):
            known = ", ".join(sorted(VARIABLES))
            raise ConfigError(
                f"the prompt's variable {{{unknown[0]}}} is unknown: there are {known} "
                f"(write literal braces twice: {{{{{unknown[0]}}}}})"
            )
        return self._session


def generate(
    dataset: Dataset, order: Order, settings: StudioSettings, progress: Progress
) -> GenerationResult:
    """Run an order without a studio; blocks. Raises as ``prepare`` and ``run`` of ``Generations``."""
    generations = Generations(settings)
    try:
        generation = asyncio.run(generations.prepare(dataset, order, lambda _: None))
        return generations.run(order, generation, progress)
    finally:
        asyncio.run(generations.close())


def estimate_order(dataset: Dataset, order: Order, settings: StudioSettings) -> Estimate:
    """Estimate an order by captioning a few of its pictures; blocks. Raises as ``generate``."""
    generations = Generations(settings)
    try:
        return asyncio.run(generations.estimate(dataset, order))
    finally:
        asyncio.run(generations.close())


def _state(dataset: Dataset) -> Path:
    return history_folder(dataset.folder) / _FOLDER


def _unknown(number: str) -> ServiceError:
    return ServiceError(404, f"there is no unfinished generation {number}")


def _keep(dataset: Dataset, state: Path, order: Order) -> None:
    """Save the order, without keys, so that another process can continue it."""
    if order.again:  # nothing to continue
        shutil.rmtree(state, ignore_errors=True)
        return
    keep_request(
        state,
        {
            "choice": order.choice.model_dump(exclude_none=True),
            "policy": order.policy,
            "write": order.write,
            "time": time.time(),
            "keys": [dataset.entries[row].key for row in order.rows],
        },
    )
