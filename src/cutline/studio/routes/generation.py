"""Captions by models: estimate, propose or write them as a job, stop and continue."""

from __future__ import annotations

import asyncio
import functools
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.generation.captioners import captioners_json
from cutline.studio.generation.choice import Choice, Policy
from cutline.studio.generation.generations import Order
from cutline.studio.generation.selection import Selected, select
from cutline.studio.routes.parameters import OpenWorkspace, Scope, scope_rows
from cutline.studio.workspace import Workspace

router = APIRouter(prefix="/studio")


class GenerateRequest(BaseModel):
    """A scope and the choice that captions it.

    ``policy`` for existing captions: ``missing`` takes pictures without one, and without a proposal;
    ``append`` and ``prepend`` join the new text with the old one. ``overwrite`` keeps captions by people,
    unless ``replaces_person``. ``write``: write to the files instead of proposing. ``again``: ignore the
    replies of an unfinished generation of the same choice.
    """

    model_config = ConfigDict(extra="forbid")
    scope: Scope = Scope()
    choice: Choice = Choice()
    policy: Policy = "missing"
    replaces_person: bool = False
    write: bool = False
    again: bool = False


class EstimateRequest(GenerateRequest):
    """The same, and whether to caption a few pictures for an estimate, which may cost money."""

    measure: bool = False


@router.get("/captioners")
async def captioners(workspace: OpenWorkspace) -> Response:
    """The available ``captioners``, ``chains`` and ``prompts``.

    A captioner has ``model``, ``kind`` (``here``, ``local`` for those that need a model's weights,
    ``hosted``), ``about``, ``ready``, ``needs``, what is missing, and the ``prompts`` that it supports (null:
    all).
    """
    return json_response(await asyncio.to_thread(captioners_json, workspace.settings))


@router.post("/estimate")
async def estimate(body: EstimateRequest, workspace: OpenWorkspace) -> Response:
    """The number of pictures of a generation, and with ``measure`` its time and cost.

    ``pictures``, and excluded: ``captioned``, ``by_person``, ``locked`` (their texts cannot be edited). With
    ``measure``: ``probes``, ``failed`` of them, ``seconds``, ``tokens``, ``cost`` in US dollars (null: no
    price is known), ``concurrency``.
    """
    selected = await _selected(body, workspace)
    counts = {
        "pictures": len(selected.rows),
        "captioned": selected.captioned,
        "by_person": selected.by_person,
        "locked": selected.locked,
    }
    if not body.measure or not selected.rows:
        return json_response(counts)
    found = await workspace.generations.estimate(workspace.dataset, _order(body, selected))
    measured = {
        "probes": found.probes,
        "failed": found.failed,
        "seconds": found.seconds,
        "tokens": found.usage.total,
        "cost": found.cost,
        "concurrency": found.concurrency,
    }
    return json_response(counts | measured)


@router.post("/generate")
async def generate(body: GenerateRequest, workspace: OpenWorkspace) -> Response:
    """Caption pictures as a job: 202 with its ``job`` and the number of ``pictures``; ``job`` null for none.

    The job's ``figures``: ``captions``, ``failures``, ``kinds`` of failures, ``rate``,
    ``eta``, ``tokens``, ``cost``, ``waiting_for``. The same request continues a stopped one without paying
    twice. 422: the choice is invalid.
    """
    selected = await _selected(body, workspace)
    if not selected.rows:
        return json_response({"job": None, "pictures": 0})
    return await _start(_order(body, selected), workspace)


@router.get("/generations")
async def unfinished(workspace: OpenWorkspace) -> Response:
    """Interrupted generations.

    ``id``, ``choice``, ``policy``, ``write``, ``rows``, ``time`` in seconds since 1970.
    """
    return json_response(await asyncio.to_thread(workspace.generations.unfinished, workspace.dataset))


@router.post("/generations/{number}")
async def resume(number: Annotated[str, Field(max_length=40)], workspace: OpenWorkspace) -> Response:
    """Continue an unfinished generation, as a job: 202 as in ``/studio/generate``."""
    order = await asyncio.to_thread(workspace.generations.order, workspace.dataset, number)
    return await _start(order, workspace)


@router.delete("/generations/{number}")
async def discard(number: str, workspace: OpenWorkspace) -> Response:
    """Discard an unfinished generation; its proposals stay."""
    await asyncio.to_thread(workspace.generations.discard, workspace.dataset, number)
    return json_response({})


async def _selected(body: GenerateRequest, workspace: Workspace) -> Selected:
    rows = await scope_rows(workspace.dataset, body.scope)
    chosen = functools.partial(select, replaces_person=body.replaces_person)
    return await asyncio.to_thread(chosen, workspace.dataset, rows, body.policy)


def _order(body: GenerateRequest, selected: Selected) -> Order:
    return Order(
        choice=body.choice, rows=selected.rows, policy=body.policy, write=body.write, again=body.again
    )


async def _start(order: Order, workspace: Workspace) -> Response:
    generations = workspace.generations
    if not order.rows:
        raise ServiceError(409, "the pictures of this generation do not exist any more: discard it")
    generation = await generations.prepare(workspace.dataset, order, workspace.publish_changes)
    job = workspace.jobs.start(
        f"captions by {order.choice.name}",
        len(order.rows),
        lambda progress: generations.run(order, generation, progress),
        figures=generation.figures,
    )
    return json_response({"job": job, "pictures": len(order.rows)}, 202)
