"""The words of captions, counted over any scope and compared with the rest."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.analysis.cloud import word_cloud
from cutline.analysis.stop_words import languages, stop_words
from cutline.analysis.terms import Order, Term, TermOptions, term_table_csv
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenWorkspace, Scope, scope_numbers

router = APIRouter(prefix="/studio")


class WordsRequest(BaseModel):
    """The captions that are meant, as of a preview, and which of their terms.

    ``against``: a query; its captions are what the others are compared with, by default all the rest.
    ``stop_words``: languages, and words to leave out besides. ``contains``: only terms with this text.
    """

    model_config = ConfigDict(extra="forbid")
    scope: Scope = Scope()
    against: Annotated[str, Field(max_length=10_000)] | None = None
    phrases: Literal[1, 2, 3] = 1
    order: Order = "occurrences"
    least: Annotated[int, Field(ge=1)] = 1
    stop_words: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=10_000)] = ["en"]
    contains: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 200


@router.post("/words")
async def words(body: WordsRequest, workspace: OpenWorkspace) -> Response:
    """``terms`` of the scope with their counts (see `cutline words`), ``total`` before the limit."""
    found = await _terms(body, workspace)
    shown = [dataclasses.asdict(term) for term in found[: body.limit]]
    return json_response({"terms": shown, "total": len(found), "languages": languages()})


@router.post("/words/cloud")
async def cloud(body: WordsRequest, workspace: OpenWorkspace) -> Response:
    """The first terms as a word cloud, an SVG file."""
    found = await _terms(body, workspace)
    terms = sorted(found[: body.limit], key=lambda term: -term.occurrences)
    return Response(word_cloud(terms), media_type="image/svg+xml")


@router.post("/words/table")
async def table(body: WordsRequest, workspace: OpenWorkspace) -> Response:
    """The first terms as CSV, as `cutline words --output` writes it."""
    found = await _terms(body, workspace)
    return Response(term_table_csv(found[: body.limit]), media_type="text/csv")


async def _terms(body: WordsRequest, workspace: OpenWorkspace) -> list[Term]:
    dataset, counted = workspace.dataset, workspace.words
    rows = await scope_numbers(dataset, body.scope)
    rest = None if body.against is None else await asyncio.to_thread(dataset.find, body.against)
    known = set(languages())
    lists = [name for name in body.stop_words if name in known]
    dropped = stop_words(lists) | {word.lower() for word in body.stop_words if word not in known}
    options = TermOptions(words=body.phrases, stop_words=dropped, least=body.least, order=body.order)
    found = await asyncio.to_thread(counted.terms, rows, rest, options)
    part = body.contains.lower()
    return [term for term in found if part in term.term] if part else found
