"""Findings in captions: list, ignore, and select them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.analysis.findings import CHECKS, Check, Finding
from cutline.dataset.lint_list import finding_rows, ignore, lint_dataset, other_rows, read_ignored
from cutline.dataset.writer import Progress
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace, Scope, scope_numbers

router = APIRouter(prefix="/studio")

_MOST: Final = 200  # findings of a check


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LintRequest(_Body):
    """The captions and checks; by default all checks but ``picture``, which reads files."""

    scope: Scope = Scope()
    checks: Annotated[list[Check], Field(min_length=1, max_length=len(CHECKS))] = [
        check for check in CHECKS if check != "picture"
    ]


class IgnoreRequest(_Body):
    """A finding; ``on`` false: list it again."""

    check: Check
    text: Annotated[str, Field(max_length=1_000_000)]
    on: bool = True


class SetRequest(_Body):
    """Findings by their indices in the list; ``others``: all captions of each but the first."""

    findings: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=10_000)]
    others: bool = False


@router.post("/lint")
async def lint(body: LintRequest, workspace: OpenWorkspace) -> Response:
    """Check captions as a job: 202 with its ``job``; at its end ``figures`` have the number ``lint``."""
    dataset = workspace.dataset
    rows = await scope_numbers(dataset, body.scope)
    figures: dict[str, Any] = {"lint": None}

    def work(progress: Progress) -> None:
        found = lint_dataset(dataset, rows, body.checks, most=_MOST, progress=progress)
        figures["lint"] = workspace.findings.add(found)

    number = workspace.jobs.start(
        "check the captions", len(body.checks), work, lambda: dict(figures), is_edit=False
    )
    return json_response({"job": number}, 202)


@router.get("/lint/ignored")
async def ignored(dataset: OpenDataset) -> Response:
    """The findings that are ignored, pairs of check and text."""
    return json_response(sorted(await asyncio.to_thread(read_ignored, dataset.history)))


@router.put("/lint/ignored")
async def set_ignored(body: IgnoreRequest, dataset: OpenDataset) -> Response:
    """Ignore a finding, also on the command line, or stop ignoring it; returns all ignored ones."""
    kept = await asyncio.to_thread(ignore, dataset.history, body.check, body.text, on=body.on)
    return json_response(sorted(kept))


@router.get("/lint/{number}")
async def findings(number: int, workspace: OpenWorkspace) -> Response:
    """``captions`` that were checked, and ``findings``: ``check``, ``text``, ``count``, ``message``,
    ``replace`` (old and new text, or null), ``pattern`` (what the edit removes, or empty), ``is_ignored``,
    and the ``query`` that finds them, null if only a set can.
    """
    found = workspace.findings.get(number)
    return json_response({"captions": found.captions, "findings": [_json(one) for one in found.findings]})


@router.post("/lint/{number}/set")
async def keep_findings(number: int, body: SetRequest, workspace: OpenWorkspace) -> Response:
    """Save the captions of findings as a set: its ``name`` and ``count``. Pages get a ``sets`` event."""
    found = workspace.findings.get(number).findings
    if max(body.findings) >= len(found):
        raise ServiceError(404, "there is no such finding")
    chosen = [found[place] for place in body.findings]
    find = other_rows if body.others else finding_rows
    rows = await asyncio.to_thread(find, workspace.dataset, chosen)
    sets = workspace.dataset.row_sets
    name = await asyncio.to_thread(sets.put_numbered, "lint", rows)
    workspace.events.publish("sets", sets=await asyncio.to_thread(sets.names))
    return json_response({"name": name, "count": len(rows)})


def _json(finding: Finding) -> dict[str, Any]:
    values = dataclasses.asdict(finding)
    if values.pop("rows"):
        values["query"] = None
    return values
