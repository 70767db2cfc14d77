"""Place and start the workers of a job on a cluster."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutline.captioners.hosted.presets import PRESETS
from cutline.credentials import Secret
from cutline.endpoint_headers import variables_in
from cutline.engine.budget import has_budget
from cutline.engine.executor import Terms
from cutline.errors import CutlineError
from cutline.formatting import one_line
from cutline.job import Job
from cutline.ray.liveness import detached
from cutline.ray.messages import Environment, Setup
from cutline.ray.node_check import digests_of, inputs_of
from cutline.ray.remote_worker import NodeUnfit, Worker, kill
from cutline.ray.worker import ShardWorker
from cutline.version import __version__

_MEMORY = re.compile(r"was ([\d.]+ ?GB) used / ([\d.]+ ?GB)")


class Placement:
    """Starts workers of a job."""

    def __init__(self, job: Job, key: Secret | None, terms: Terms) -> None:
        self._job = job
        self._key = key
        self._terms = terms
        self._addresses: dict[str, str] = {}
        self._held: list[Any] = []

    async def start(self) -> Worker:
        """Start a worker and load its model; waits for free resources.

        Raises:
            NodeUnfit: the job cannot run on its node, or the model cannot be loaded there; its process holds
                a place there until the run ends.
            RayError: it died meanwhile.
        """
        import ray

        options = self._job.cluster
        made = ray.remote(ShardWorker).options(
            name=f"cutline {Path(self._job.input_path).name} {secrets.token_hex(3)}",
            num_cpus=options.cpus_per_actor,
            num_gpus=options.gpus_per_actor,
            max_restarts=0,
            max_concurrency=64,
        )
        setup = self._setup()
        actor = await detached(lambda: made.remote(setup))
        try:
            return await self._open(actor)
        except NodeUnfit:
            self._held.append(actor)
            raise
        except BaseException:
            kill(actor)
            raise

    async def _open(self, actor: Any) -> Worker:
        environment: Environment = await actor.environment.remote()
        _check(environment)
        problem: CutlineError | None = await actor.open.remote()
        if problem is not None:
            raise NodeUnfit(f"the node {environment.host}: {problem}", problem)
        address = await self._address(environment.node)
        return Worker(actor=actor, environment=environment, node_address=address)

    async def room(self) -> int | None:
        """How many workers the nodes have resources for, ignoring other jobs; None for any number."""
        import ray

        nodes = [one for one in await detached(ray.nodes) if one["Alive"]]
        self._addresses = {
            one["NodeID"]: f"{one['NodeManagerAddress']}:{one['NodeManagerPort']}" for one in nodes
        }
        rooms = [_room_on(one["Resources"], self._job) for one in nodes]
        return None if None in rooms else sum(room for room in rooms if room)

    async def _address(self, node: str) -> str:
        """HOST:PORT of a node's Ray process."""
        if node not in self._addresses:
            await self.room()
        return self._addresses.get(node, "")

    def _setup(self) -> Setup:
        job, terms = self._job, self._terms
        return Setup(
            job=job,
            key=self._key.reveal() if self._key else None,
            key_variables=_key_variables(job),
            rules=terms.rules,
            folder=str(Path.cwd()),
            files=digests_of(job),
            inputs=inputs_of(job),
            needs_picture=terms.sink.needs_picture,
            keeps_captions=terms.sink.keeps_captions,
            has_budget=has_budget(job),
            trusted=terms.trusted,
            log_level=logging.getLogger("cutline").getEffectiveLevel(),
        )


def _room_on(resources: Mapping[str, float], job: Job) -> int | None:
    options = job.cluster
    needs = {"GPU": options.gpus_per_actor, "CPU": options.cpus_per_actor}
    room = [int(resources.get(name, 0) / need) for name, need in needs.items() if need]
    return min(room, default=None)


def need_of(job: Job) -> str:
    """The resources of a worker, for messages."""
    options = job.cluster
    gpus = f"{options.gpus_per_actor:g} GPUs" if options.gpus_per_actor else ""
    cpus = f"{options.cpus_per_actor:g} CPUs" if options.cpus_per_actor else ""
    return " and ".join(filter(None, (gpus, cpus)))


def _key_variables(job: Job) -> dict[str, str]:
    """The variables of this process that hold keys of services, which a node does not have."""
    names = {name for preset in PRESETS.values() for name in preset.key_env}
    names |= variables_in(job.model.header, job.model.query)
    return {name: os.environ[name] for name in sorted(names) if os.environ.get(name)}


def _check(environment: Environment) -> None:
    """Raise NodeUnfit for a node on which the job cannot run."""
    where = f"the node {environment.host}"
    if environment.problem:
        raise NodeUnfit(f"{where}: {environment.problem}")
    if environment.cutline != __version__:
        raise NodeUnfit(
            f"{where} has cutline {environment.cutline}, this machine {__version__}: install the same"
        )


def cause_of(error: BaseException) -> str:
    """The cause of a Ray error, in one line of the many that Ray has for it."""
    text = str(error)
    if "running low on memory" in text:
        used = _MEMORY.search(text)
        amount = f" ({used[1]} of {used[2]} were used)" if used else ""
        return f"its node ran out of memory{amount}; --cpus-per-actor 2 or more lets fewer workers run there"
    if "Worker exit type: SYSTEM_ERROR" in text:
        return "its process was killed, crashed, or ran out of memory"
    if "No module named 'cutline" in text:
        return "cutline is not installed on the nodes; install it there, in the Python that Ray runs on"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit)\b", line)]
    return one_line((named or lines or [type(error).__name__])[-1])
