"""Jobs of the studio: edits and exports that run in threads with progress, and can be stopped."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from cutline.dataset.export.records import ExportResult
from cutline.dataset.records import EditResult
from cutline.dataset.writer import Progress, StopEdit
from cutline.errors import CutlineError
from cutline.service.errors import ServiceError
from cutline.studio.events import Events
from cutline.studio.generation.generation import GenerationResult
from cutline.studio.results import result_json

_log = logging.getLogger("cutline.studio")
_INTERVAL: Final = 0.1  # seconds between two events of progress
_KEPT: Final = 100

Result = EditResult | ExportResult | GenerationResult | None
Work = Callable[[Progress], Result]


@dataclasses.dataclass(slots=True)
class Job:
    """``done`` of ``total`` steps; ``result`` or ``problem`` once it has ended; ``figures`` vary.

    ``is_edit``: it may change rows.
    """

    number: int
    summary: str
    total: int
    done: int = 0
    is_stopped: bool = False
    is_over: bool = False
    result: Result = None
    problem: str = ""
    figures: Callable[[], dict[str, Any]] | None = None
    is_edit: bool = True

    def state(self) -> dict[str, Any]:
        return {
            "job": self.number,
            "summary": self.summary,
            "total": self.total,
            "done": self.done,
            "is_over": self.is_over,
            "problem": self.problem,
            "figures": self.figures() if self.figures is not None else None,
            "result": result_json(self.result) if self.result is not None else None,
        }


class Jobs:
    """Runs jobs in threads; ``after`` is called when one has ended."""

    def __init__(self, events: Events, after: Callable[[], None]) -> None:
        self._events = events
        self._after = after
        self._jobs: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        summary: str,
        total: int,
        work: Work,
        figures: Callable[[], dict[str, Any]] | None = None,
        *,
        is_edit: bool = True,
    ) -> int:
        """Start a job and return its number; ``is_edit`` false: it changes no rows."""
        number = max(self._jobs, default=0) + 1
        job = Job(number=number, summary=summary, total=total, figures=figures, is_edit=is_edit)
        self._jobs[job.number] = job
        for number in list(self._jobs)[:-_KEPT]:
            if self._jobs[number].is_over:
                del self._jobs[number]
        task = asyncio.create_task(self._run(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job.number

    def stop(self, number: int) -> None:
        """ServiceError 404: there is no such job."""
        if number not in self._jobs:
            raise ServiceError(404, f"there is no job {number}")
        self._jobs[number].is_stopped = True

    def result(self, number: int) -> Result:
        """The result of a job; None before its end. ServiceError 404: there is no such job."""
        if number not in self._jobs:
            raise ServiceError(404, f"there is no job {number}")
        return self._jobs[number].result

    def exports(self) -> list[ExportResult]:
        results = (job.result for job in self._jobs.values())
        return [result for result in results if isinstance(result, ExportResult)]

    def all(self) -> list[dict[str, Any]]:
        return [job.state() for job in self._jobs.values()]

    @property
    def is_running(self) -> bool:
        return bool(self._tasks)

    async def aclose(self) -> None:
        """Stop all jobs after their current file."""
        for job in self._jobs.values():
            job.is_stopped = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Work) -> None:
        shown = 0.0

        def progress(done: int) -> None:
            nonlocal shown
            if job.is_stopped:
                raise StopEdit
            job.done = done
            if (now := time.monotonic()) - shown > _INTERVAL:
                shown = now
                self._events.publish("job", **job.state())

        try:
            job.result = await asyncio.to_thread(work, progress)
        except CutlineError as error:
            job.problem = str(error)
        except Exception:  # noqa: BLE001 - else the page would wait for it forever
            job.problem = "this is a bug of cutline: the terminal that it runs in shows the traceback"
            _log.exception("a job failed")
        job.is_over = True
        if job.figures is None:
            job.done = job.total
        self._events.publish("job", **job.state())
        if job.is_edit:
            self._after()
