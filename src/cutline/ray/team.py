"""The workers of a run: started where there is room, replaced when they die, with shares of one limit."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.pool import DEFAULT_CEILING
from cutline.credentials import Secret
from cutline.engine.executor import Terms
from cutline.engine.overlap import files_read
from cutline.errors import ConfigError, CutlineError
from cutline.files import content_digest
from cutline.formatting import one_line
from cutline.job import Job
from cutline.ray.messages import Batch, Environment, Known, Setup, ShardWork, Status
from cutline.ray.worker import ShardWorker
from cutline.slots import Slots
from cutline.version import __version__

_log = logging.getLogger(__name__)
_SETTLE = 2.0  # seconds until an endpoint has noticed that the requests of a dead worker are gone
_MAX_FAILED_STARTS = 3


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A worker as the driver sees it."""

    actor: Any
    environment: Environment
    share: int
    status: Status = dataclasses.field(default_factory=Status)
    granted: int = 0
    demand: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def run(self, work: ShardWork) -> AsyncIterator[Batch]:
        """What happens while it works through a shard; raises RayError when it dies."""
        async for reference in self.actor.run.options(name=f"shard {work.number}").remote(work):
            batch: Batch = await reference
            yield batch

    def answer(self, number: int, known: Mapping[str, Known]) -> None:
        self.actor.answer.remote(number, known)

    async def wait_for_demand(self) -> None:
        """Wait until it has fewer grants than it can use."""
        while self.granted > max(1, self.status.slots):
            self.demand.clear()
            await self.demand.wait()

    def grant(self) -> None:
        self.granted += 1
        self.actor.grant.remote(1)

    def take_back(self, count: int, slots: Slots) -> None:
        for _ in range(count):
            self.granted -= 1
            slots.leave()
        if count:
            self.demand.set()

    def return_grants(self, slots: Slots) -> None:
        """All of them, as it has no shard any more."""
        self.take_back(self.granted, slots)


class Team:
    """The workers of a run."""

    def __init__(self, job: Job, key: Secret | None) -> None:
        self._job = job
        self._key = key
        self._terms: Terms | None = None
        self._limit = job.run.max_concurrent_requests or DEFAULT_CEILING
        if not job.run.enable_async:
            self._limit = 1
        self.wanted = 1
        self.workers: list[Worker] = []
        self._gone: list[Status] = []
        self._first: asyncio.Queue[Worker] = asyncio.Queue()

    @property
    def statuses(self) -> list[Status]:
        return [worker.status for worker in self.workers]

    @property
    def all_statuses(self) -> list[Status]:
        """With the last ones of workers that are gone."""
        return [*self._gone, *self.statuses]

    async def open(self, terms: Terms) -> None:
        """Start the first worker, so that what is wrong with all is known.

        Raises:
            ConfigError: it cannot work, or the cluster has no room for one.
        """
        import ray.exceptions

        import ray

        self._terms = terms
        self.wanted = self._count(ray.cluster_resources())
        if not self.wanted:
            options = self._job.cluster
            need = (
                f"{options.gpus_per_actor:g} GPUs" if options.gpus_per_actor else f"{_cpus(self._job):g} CPUs"
            )
            raise ConfigError(
                f"no node of the cluster has {need} for a worker: lower --cpus-per-actor or "
                "--gpus-per-actor, or add nodes"
            )
        try:
            self._first.put_nowait(await self._start(self._share_of(0)))
        except ray.exceptions.RayError as error:
            raise ConfigError(f"a worker cannot start on the cluster: {_cause(error)}") from None

    async def serve(self, work: Callable[[Worker], Awaitable[None]]) -> None:
        """Have as many workers as there is room for do ``work``; each until it returns.

        Raises:
            CutlineError: one cannot be started, for a reason that concerns all.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self.wanted):
                    group.create_task(self._place(number, work))
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None

    async def _place(self, number: int, work: Callable[[Worker], Awaitable[None]]) -> None:
        """One place for a worker: while it dies, another takes it."""
        import ray.exceptions

        failed_starts, share = 0, self._share_of(number)
        while True:
            try:
                worker = self._first.get_nowait() if number == 0 and not self._first.empty() else None
                worker = worker or await self._start(share)
                failed_starts = 0
            except ray.exceptions.RayError as error:
                failed_starts += 1
                if failed_starts == _MAX_FAILED_STARTS and not self.workers:
                    raise ConfigError(f"workers die while they start: {_cause(error)}") from None
                await asyncio.sleep(_SETTLE)
                continue
            try:
                await work(worker)
            except ray.exceptions.RayError as error:
                _log.warning(
                    "worker died host=%s pid=%d: %s",
                    worker.environment.host,
                    worker.environment.pid,
                    _cause(error),
                )
            else:
                self._remove(worker)
                self._give(share)
                return
            self._remove(worker)
            await asyncio.sleep(_SETTLE)

    def _give(self, share: int) -> None:
        """Divide the share of a place that is not needed any more among the others."""
        for number, worker in enumerate(self.workers):
            more = share // len(self.workers) + (number < share % len(self.workers))
            if more:
                worker.share += more
                worker.actor.share.remote(worker.share)

    def _count(self, resources: Mapping[str, float]) -> int:
        """How many workers there is room for and work for."""
        options = self._job.cluster
        if options.gpus_per_actor:
            room = int(resources.get("GPU", 0) / options.gpus_per_actor)
        else:
            room = int(resources.get("CPU", 0) / _cpus(self._job)) if _cpus(self._job) else self._limit
        return min(options.actors or room, room, self._limit)

    def _share_of(self, number: int) -> int:
        """The part of the requests at once that a place has: all together are the limit."""
        return self._limit // self.wanted + (number < self._limit % self.wanted)

    async def _start(self, share: int) -> Worker:
        import ray

        options = self._job.cluster
        made = ray.remote(ShardWorker).options(
            name=f"cutline {Path(self._job.input_path).name} {secrets.token_hex(3)}",
            num_cpus=_cpus(self._job),
            num_gpus=options.gpus_per_actor,
            max_restarts=0,
            max_concurrency=64,
        )
        actor = made.remote(self._setup(share))
        try:
            environment = await actor.environment.remote()
            _check(environment)
            problem = await actor.open.remote()
        except BaseException:
            ray.kill(actor)
            raise
        if problem is not None:
            ray.kill(actor)
            raise problem
        worker = Worker(actor=actor, environment=environment, share=share)
        self.workers.append(worker)
        return worker

    def _setup(self, share: int) -> Setup:
        assert self._terms is not None
        return Setup(
            job=self._job,
            key=self._key.reveal() if self._key else None,
            key_variables=_key_variables(),
            rules=self._terms.rules,
            folder=str(Path.cwd()),
            files={path: content_digest(Path(path).read_bytes()) for path in files_read(self._job)},
            share=share,
            needs_picture=self._terms.sink.needs_picture,
            keeps_captions=self._terms.sink.keeps_captions,
            has_budget=self._job.run.budget_tokens is not None or self._job.run.max_cost is not None,
            trusted=self._terms.trusted,
        )

    def _remove(self, worker: Worker) -> None:
        import ray

        self.workers.remove(worker)
        self._gone.append(dataclasses.replace(worker.status, in_flight=0, loading=0, slots=0))
        ray.kill(worker.actor)

    async def stop(self, reason: CutlineError, grace: float) -> None:
        """Have all end their shards early; those that have not after ``grace`` seconds are killed."""
        import ray

        workers = list(self.workers)
        for worker in workers:
            worker.actor.stop.remote(reason)
        await asyncio.sleep(grace + _SETTLE)
        for worker in self.workers:
            ray.kill(worker.actor)

    async def aclose(self) -> None:
        for worker in list(self.workers):
            self._remove(worker)


def _key_variables() -> dict[str, str]:
    """The variables of this process that hold keys of services, which a node does not have."""
    names = {name for preset in PRESETS.values() for name in preset.key_env}
    return {name: os.environ[name] for name in sorted(names) if os.environ.get(name)}


def _cpus(job: Job) -> float:
    return job.cluster.cpus_per_actor


def _check(environment: Environment) -> None:
    """Raise ConfigError for a node on which the job cannot run."""
    where = f"the node {environment.host}"
    if environment.problem:
        raise ConfigError(f"{where}: {environment.problem}")
    if environment.cutline != __version__:
        raise ConfigError(
            f"{where} has cutline {environment.cutline}, this machine {__version__}: install the same"
        )


def _cause(error: BaseException) -> str:
    """The line of Ray's account that says what happened."""
    text = str(error)
    if "No module named 'cutline" in text:
        return "cutline is not installed on the nodes; install it there, in the Python that Ray runs on"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit)\b", line)]
    return one_line((named or lines or [type(error).__name__])[-1])
