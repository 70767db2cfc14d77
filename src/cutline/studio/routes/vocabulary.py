"""Aids for writing captions: tags, completions, filters, quick phrases, and token counts."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.dataset.dataset import Dataset
from cutline.dataset.phrases import read_phrases, write_phrases
from cutline.dataset.token_counter import count_tokens, is_exact, token_end
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace
from cutline.studio.workspace import Workspace

router = APIRouter(prefix="/studio")


class TokensRequest(BaseModel):
    """A caption being typed, and the token limit of its reader."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=1_000_000)]
    most: Annotated[int, Field(ge=2, le=10_000)] = 77


class FilterRequest(BaseModel):
    """A query to save."""

    model_config = ConfigDict(extra="forbid")
    query: Annotated[str, Field(max_length=10_000)]


class PhrasesRequest(BaseModel):
    """Quick phrases in the order of their keys."""

    model_config = ConfigDict(extra="forbid")
    phrases: Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(max_length=100)]


@router.post("/tokens")
async def tokens(body: TokensRequest) -> Response:
    """The number of CLIP's ``tokens`` of a text; ``is_exact`` false: it is estimated.

    ``end``: the number of characters that a model with a limit of ``most`` tokens reads.
    """
    count = await asyncio.to_thread(count_tokens, body.text)
    end = len(body.text)
    if count > body.most:
        end = await asyncio.to_thread(token_end, body.text, body.most)
    return json_response({"tokens": count, "is_exact": is_exact(), "end": end})


@router.get("/tags")
async def tags(
    dataset: OpenDataset,
    text: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> Response:
    """The dataset's tags that contain ``text``, the most frequent first: ``tag`` and ``count``."""
    found = await asyncio.to_thread(dataset.query_words.tag_counts, text, limit)
    return json_response([{"tag": tag, "count": count} for tag, count in found])


@router.get("/complete")
async def completions(
    dataset: OpenDataset,
    q: Annotated[str, Query(max_length=10_000)],
    at: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 11,
) -> Response:
    """Completions of a query at a character: ``text`` to replace ``start`` to ``end``, and ``about``."""
    place = len(q) if at is None else at
    found = await asyncio.to_thread(dataset.query_words.complete, q, place, limit)
    return json_response([dataclasses.asdict(one) for one in found])


@router.get("/filters")
async def filters(dataset: OpenDataset) -> Response:
    """The dataset's saved filters: queries by name, for ``saved:NAME``."""
    return json_response(await asyncio.to_thread(dataset.query_words.filters))


@router.put("/filters/{name:path}")
async def save_filter(
    name: str, body: FilterRequest, dataset: OpenDataset, workspace: OpenWorkspace
) -> Response:
    """Save a query under a name; returns all, and every page gets a ``filters`` event."""
    return await _keep(name, body.query, dataset, workspace)


@router.delete("/filters/{name:path}")
async def forget_filter(name: str, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Remove a saved filter; 404: there is none of this name."""
    return await _keep(name, None, dataset, workspace)


async def _keep(name: str, query: str | None, dataset: Dataset, workspace: Workspace) -> Response:
    try:
        kept = await asyncio.to_thread(dataset.query_words.save_filter, name, query)
    except KeyError:
        raise ServiceError(404, f"there is no saved filter {name}") from None
    workspace.events.publish("filters", filters=kept)
    return json_response(kept)


@router.get("/phrases")
async def phrases(dataset: OpenDataset) -> Response:
    """The dataset's quick phrases."""
    return json_response(await asyncio.to_thread(read_phrases, dataset.history))


@router.put("/phrases")
async def set_phrases(body: PhrasesRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Save at most nine quick phrases with the dataset; every page gets a ``phrases`` event."""
    kept = await asyncio.to_thread(write_phrases, dataset.history, body.phrases)
    workspace.events.publish("phrases", phrases=kept)
    return json_response(kept)
