"""Compare caption sets: list them, show their texts side by side, pick the best, and count the picks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.analysis.terms import TermOptions
from cutline.dataset.set_comparison import SetComparison
from cutline.dataset.stop_word_lists import read_stop_words
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace
from cutline.studio.set_names import set_names, set_path

router = APIRouter(prefix="/studio/compare")
SetName = Annotated[str, Field(min_length=1, max_length=4096)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CompareRequest(_Body):
    """The sets, see ``GET /studio/compare``: ``captions``, an ending, or the path of an output.

    ``blind``: texts have a random order for each picture, and no names.
    """

    sets: Annotated[list[SetName], Field(min_length=2, max_length=3)]
    blind: bool = False


class PickRequest(_Body):
    """The position of the better text, from 1; 0: none is good; null: remove the pick."""

    place: Annotated[int, Field(ge=0, le=3)] | None


class UseRequest(_Body):
    """How to apply the picked captions."""

    outcome: Literal["caption", "proposal"] = "caption"


@router.get("")
async def sets(dataset: OpenDataset) -> Response:
    """The names of the available sets: the open captions, other extensions, outputs beside them."""
    return json_response(await asyncio.to_thread(set_names, dataset))


@router.post("")
async def compare(body: CompareRequest, workspace: OpenWorkspace, request: Request) -> Response:
    """Open a comparison: its number ``comparison``, its ``sets``, and the number of ``rows`` that differ.

    ``next`` is the index of the first without a pick.

    403: an output is not beside or in the dataset, nor below the roots; 422: there is nothing to compare.
    """
    dataset, roots = workspace.dataset, request.app.state.settings.roots
    names = [set_path(dataset, name, roots) for name in body.sets]
    found = await asyncio.to_thread(dataset.compare, names, blind=body.blind)
    picks = found.picks()
    keys = [dataset.entries[row].key for row in found.rows]
    first = next((place for place, key in enumerate(keys) if key not in picks), 0)
    number = workspace.comparisons.add(found)
    return json_response(
        {
            "comparison": number,
            "sets": found.names,
            "rows": len(found.rows),
            "next": first,
            "blind": body.blind,
        }
    )


@router.get("/{number}")
async def rows(
    number: int,
    workspace: OpenWorkspace,
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Response:
    """Rows from ``start`` on: ``row``, ``key``, ``texts``, ``names`` (null where blind), ``place`` picked."""
    found = workspace.comparisons.get(number)
    dataset = workspace.dataset
    part = found.rows[start : start + count]
    return json_response(
        await asyncio.to_thread(lambda: [_row(found, dataset.entries[row].key, row) for row in part])
    )


@router.put("/{number}/picks/{row}")
async def pick(number: int, row: int, body: PickRequest, workspace: OpenWorkspace) -> Response:
    """Pick the better text of a row, none of them, or take the pick back; returns the ``place``."""
    found = workspace.comparisons.get(number)
    if row not in found.rows:
        raise ServiceError(404, f"row {row} is not compared")
    name: str | None = None
    if body.place is not None:
        shown = found.shown(row)
        if body.place > len(shown):
            raise ServiceError(422, f"there are {len(shown)} texts: pick one of them, or 0 for none")
        name = shown[body.place - 1][0] if body.place else ""
    await asyncio.to_thread(found.pick, row, name)
    workspace.publish_changes([row])
    return json_response({"place": body.place})


@router.get("/{number}/tally")
async def tally(
    number: int,
    workspace: OpenWorkspace,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - of HTTP
) -> Response:
    """The result: ``rows``, ``picked``, ``none``, ``winner``, ``verdict`` and the ``standings``.

    Of each set ``name``, ``picked``, and its ``share`` of the picks with the interval from ``low`` to
    ``high`` (95 %, Wilson). As CSV too.
    """
    found = workspace.comparisons.get(number)
    if format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="comparison.csv"'}
        return Response(await asyncio.to_thread(found.to_csv), media_type="text/csv", headers=headers)
    counted = await asyncio.to_thread(found.tally)
    return json_response(
        {
            "rows": counted.rows,
            "picked": counted.picked,
            "none": counted.none,
            "winner": counted.winner,
            "verdict": counted.verdict,
            "standings": counted.standings,
        }
    )


@router.get("/{number}/words")
async def words(
    number: int,
    workspace: OpenWorkspace,
    before: Annotated[str, Query(max_length=4096)] = "",
    after: Annotated[str, Query(max_length=4096)] = "",
    phrases: Annotated[int, Query(ge=1, le=3)] = 1,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> Response:
    """The words ``gained`` and ``lost`` from one set to another, by default from the first to the second.

    Terms are as in `POST /studio/words`; in ``lost``, counts and ``share`` are those of ``before``.
    """
    found = workspace.comparisons.get(number)
    first, second = before or found.names[0], after or found.names[1]
    dropped = await asyncio.to_thread(read_stop_words, workspace.dataset.history, ["en"])
    options = TermOptions(words=phrases, stop_words=dropped, order="score")
    gained, lost = await asyncio.to_thread(found.words, first, second, options)
    return json_response({"before": first, "after": second, "gained": gained[:limit], "lost": lost[:limit]})


@router.post("/{number}/use")
async def use(number: int, body: UseRequest, workspace: OpenWorkspace) -> Response:
    """Apply or propose the picked captions, as a job: 202 with its ``job``."""
    found = workspace.comparisons.get(number)
    is_proposal = body.outcome == "proposal"
    job = workspace.jobs.start(
        "use what was picked",
        found.tally().picked,
        lambda progress: found.use(propose=is_proposal, progress=progress),
    )
    return json_response({"job": job}, 202)


def _row(found: SetComparison, key: str, row: int) -> dict[str, Any]:
    shown, picked = found.shown(row), found.picked(row)
    names = [name for name, _ in shown]
    return {
        "row": row,
        "key": key,
        "texts": [text for _, text in shown],
        "names": None if found.blind else names,
        "place": None if picked is None else names.index(picked) + 1 if picked else 0,
    }
