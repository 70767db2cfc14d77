"""The map: points and clusters of captions or pictures, computed in jobs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.analysis.clusters import MOST
from cutline.dataset.dataset_clusters import Of
from cutline.dataset.row_groups import By, group_rows
from cutline.encoders.factory import CAPTION_MODELS, PICTURE_MODELS
from cutline.files import name_to_text
from cutline.service.http.responses import json_response
from cutline.studio.map_session import ROUNDS, Shown
from cutline.studio.routes.parameters import OpenWorkspace, Scope, check_row, scope_numbers
from cutline.studio.set_names import set_path

router = APIRouter(prefix="/studio/map")
_MODELS: Final = {"captions": CAPTION_MODELS, "images": PICTURE_MODELS}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MapRequest(_Body):
    """The contents to show, and the model; null: the packaged one."""

    of: Of = "captions"
    model: Annotated[str, Field(max_length=500)] | None = None


class CountRequest(_Body):
    """The number of clusters."""

    count: Annotated[int, Field(ge=1, le=MOST)]


class NameRequest(_Body):
    """A name for a cluster; empty to name it by its terms."""

    name: Annotated[str, Field(max_length=500)]


class ColorsRequest(_Body):
    """The property that colours the points; ``keyword``: words and phrases, separated by commas.

    ``set``: a caption set, see ``GET /studio/compare``, to colour by similarity.
    """

    by: By = "cluster"
    keyword: Annotated[str, Field(max_length=2000)] = ""
    set: Annotated[str, Field(max_length=4096)] = ""


class SimilarRequest(_Body):
    """A row, and the number of similar ones."""

    row: int
    limit: Annotated[int, Field(ge=1, le=10_000)] = 50


class SearchRequest(_Body):
    """A text to search for, and the number of results."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    limit: Annotated[int, Field(ge=1, le=10_000)] = 50


class LimitRequest(_Body):
    """The number of rows."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class SampleRequest(_Body):
    """The number of rows, of all or of a scope."""

    count: Annotated[int, Field(ge=1, le=10_000_000)]
    scope: Scope = Scope()


class DuplicatesRequest(_Body):
    """The minimum cosine of the members of a group with its first."""

    least: Annotated[float, Field(ge=0.5, le=1)] = 0.95


class SetRequest(_Body):
    """A set of captions, see ``GET /studio/compare``."""

    set: Annotated[str, Field(min_length=1, max_length=4096)]


@router.get("")
async def state(workspace: OpenWorkspace) -> Response:
    """The state of the map, and its ``clusters``; ``version`` changes with points or clusters.

    ``stale``: rows whose caption or picture has changed since. ``models``: those for each content.
    ``notice``: a warning about captions and model, such as about a language that the model does not know.
    """
    found = await asyncio.to_thread(workspace.map.state)
    return json_response({**found, "models": _MODELS})


@router.post("")
async def compute(body: MapRequest, workspace: OpenWorkspace) -> Response:
    """Compute the embeddings that are missing, the points and their clusters: 202 with the ``job``."""
    session = workspace.map
    embeddings, missing = await asyncio.to_thread(session.prepare, body.of, body.model)
    what = f"compute the map of {body.of}"
    job = workspace.jobs.start(what, missing, lambda progress: session.compute(embeddings, progress))
    return json_response({"job": job}, 202)


@router.get("/points")
async def points(workspace: OpenWorkspace) -> Response:
    """Two little-endian float32 for each row: x and y within -1 and 1, NaN for rows not on the map."""
    return _binary(workspace.map.shown.points)


@router.get("/labels")
async def labels(workspace: OpenWorkspace) -> Response:
    """A byte for each row: the number of its cluster, 255 for none."""
    return _binary(workspace.map.shown.clustering.labels.tobytes())


@router.get("/stale")
async def stale(workspace: OpenWorkspace) -> Response:
    """The rows, as little-endian int32, whose caption or picture has changed since they were embedded."""
    rows = await asyncio.to_thread(workspace.map.stale)
    return _binary(rows.astype("<i4").tobytes())


@router.post("/clusters")
async def cluster(body: CountRequest, workspace: OpenWorkspace) -> Response:
    """Change the number of clusters; after a newer request, its ``clusters`` are returned."""
    return _clusters(await asyncio.to_thread(workspace.map.cluster, body.count))


@router.put("/clusters/{number}")
async def rename(number: int, body: NameRequest, workspace: OpenWorkspace) -> Response:
    """Give a cluster a name."""
    return _clusters(await asyncio.to_thread(workspace.map.rename, number, body.name))


@router.get("/suggestion")
async def suggestion(workspace: OpenWorkspace) -> Response:
    """A ``count`` of clusters (null: none), and the ``curve`` of silhouettes by count."""
    return json_response(await asyncio.to_thread(workspace.map.suggest))


@router.post("/layout")
async def lay_out(workspace: OpenWorkspace) -> Response:
    """Lay the points out by t-SNE: 202 with the ``job``."""
    session = workspace.map
    assert session.shown
    job = workspace.jobs.start("lay the map out by t-SNE", ROUNDS, session.lay_out)
    return json_response({"job": job}, 202)


@router.post("/colors")
async def colors(body: ColorsRequest, workspace: OpenWorkspace, request: Request) -> Response:
    """The groups of a ``legend`` (``text``, ``color``, ``term``, ``count``), and where ``colors`` are.

    403: a set is an output that is not beside the dataset, nor below the roots.
    """
    dataset = workspace.dataset
    name = set_path(dataset, body.set, request.app.state.settings.roots) if body.set else ""
    legend, places = await asyncio.to_thread(group_rows, dataset, body.by, body.keyword, name)
    number = workspace.colors.add(places.tobytes())
    shown = [
        {"text": group.text, "color": group.color, "term": group.term, "count": group.count}
        for group in legend
    ]
    return json_response({"legend": shown, "colors": f"studio/map/colors/{number}"})


@router.get("/colors/{number}")
async def color_places(number: int, workspace: OpenWorkspace) -> Response:
    """A byte for each row: the place of its group in the legend, 255 for none."""
    return _binary(workspace.colors.get(number))


@router.post("/similar")
async def similar(body: SimilarRequest, workspace: OpenWorkspace) -> Response:
    """The ``rows`` most similar to one, itself first, and their ``scores``, cosines."""
    check_row(workspace.dataset, body.row)
    found = await asyncio.to_thread(workspace.map.similar, body.row, body.limit)
    return json_response({"rows": found.rows.tolist(), "scores": found.scores.tolist()})


@router.post("/search")
async def search(body: SearchRequest, workspace: OpenWorkspace) -> Response:
    """The ``rows`` nearest to a text, and their ``scores``, cosines."""
    found = await asyncio.to_thread(workspace.map.search, body.text, body.limit)
    return json_response({"rows": found.rows.tolist(), "scores": found.scores.tolist()})


@router.post("/fit")
async def fit(workspace: OpenWorkspace) -> Response:
    """Compare captions with their pictures by CLIP: 202 with the ``job``.

    `GET /studio/map/fit` has the result.
    """
    session = workspace.map
    job = workspace.jobs.start("compare captions with pictures", len(workspace.dataset), session.fit)
    return json_response({"job": job}, 202)


@router.get("/fit")
async def fits(workspace: OpenWorkspace, limit: Annotated[int, Query(ge=1, le=10_000)] = 200) -> Response:
    """The ``rows`` whose captions fit their pictures least, and their ``scores``, cosines."""
    found = workspace.map.fits
    rows, scores = ([], []) if found is None else (found.rows[:limit].tolist(), found.scores[:limit].tolist())
    return json_response({"rows": rows, "scores": scores})


@router.post("/outliers")
async def outliers(body: LimitRequest, workspace: OpenWorkspace) -> Response:
    """The ``rows`` that are farthest from the centre of their cluster, and ``scores`` in usual distances."""
    found = await asyncio.to_thread(workspace.map.outliers, body.limit)
    return json_response({"rows": found.rows.tolist(), "scores": found.scores.tolist()})


@router.post("/sample")
async def sample(body: SampleRequest, workspace: OpenWorkspace) -> Response:
    """A sample of ``rows``, as evenly from all clusters as possible."""
    rows = await scope_numbers(workspace.dataset, body.scope)
    found = await asyncio.to_thread(workspace.map.sample, body.count, rows)
    return json_response({"rows": found.tolist()})


@router.post("/duplicates")
async def duplicates(body: DuplicatesRequest, workspace: OpenWorkspace) -> Response:
    """Find near duplicates: 202 with the ``job``; `GET /studio/map/duplicates` has the result."""
    session = workspace.map
    total = len(session.shown.map.rows)

    def work(progress: Any) -> None:
        session.duplicates(body.least, progress)

    job = workspace.jobs.start("find near duplicates", total, work)
    return json_response({"job": job}, 202)


@router.get("/duplicates")
async def duplicate_groups(workspace: OpenWorkspace) -> Response:
    """The last ``groups`` of near duplicates, lists of rows; the first of each is the one to keep."""
    return json_response({"groups": [group.tolist() for group in workspace.map.groups]})


@router.post("/difference")
async def compare_sets(body: SetRequest, workspace: OpenWorkspace, request: Request) -> Response:
    """Find where the captions of a set differ in meaning: 202 with the ``job``.

    `GET /studio/map/difference` has the result. 403: an output is not beside the dataset, nor below the
    roots.
    """
    session = workspace.map
    name = set_path(workspace.dataset, body.set, request.app.state.settings.roots)
    what = f"compare the captions with {name_to_text(Path(name).name)}"
    job = workspace.jobs.start(what, len(workspace.dataset), lambda progress: session.compare(name, progress))
    return json_response({"job": job}, 202)


@router.get("/difference")
async def difference(
    workspace: OpenWorkspace, limit: Annotated[int, Query(ge=1, le=10_000)] = 200
) -> Response:
    """The ``rows`` with the least similar captions, with cosines ``scores`` and the other ``texts``.

    ``gained``: words that are more frequent in the other set; ``lost``: in the dataset.
    """
    found = workspace.map.difference
    if found is None:
        return json_response({"rows": [], "scores": [], "texts": [], "gained": [], "lost": []})
    shown = {
        "rows": found.rows[:limit].tolist(),
        "scores": found.scores[:limit].tolist(),
        "texts": found.texts[:limit],
        "gained": found.gained,
        "lost": found.lost,
    }
    return json_response(shown)


def _clusters(shown: Shown) -> Response:
    return json_response({"clusters": shown.clusters, "count": shown.count, "version": shown.version})


def _binary(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
