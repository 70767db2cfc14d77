"""Count the words of captions in any scope, and compare them with the rest."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.analysis.cloud import word_cloud
from cutline.analysis.stop_words import languages
from cutline.analysis.terms import Order, Term, TermOptions, term_table_csv
from cutline.dataset.stop_word_lists import is_kept, keep_stop_words, read_stop_words
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace, Scope, scope_numbers

router = APIRouter(prefix="/studio")


class WordsRequest(BaseModel):
    """A scope, as in a preview, and which of its terms to return.

    ``against``: a query for the captions to compare with, by default all others. ``stop_words``: languages,
    and further words to omit. ``contains``: only terms with this text. ``reverse``: in reverse order, such as
    the more frequent ones of the others first. ``last``: add as many of the last terms.
    """

    model_config = ConfigDict(extra="forbid")
    scope: Scope = Scope()
    against: Annotated[str, Field(max_length=10_000)] | None = None
    phrases: Literal[1, 2, 3] = 1
    order: Order = "occurrences"
    reverse: bool = False
    least: Annotated[int, Field(ge=1)] = 1
    stop_words: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=10_000)] = ["en"]
    contains: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 200
    last: Annotated[int, Field(ge=0, le=100_000)] = 0


class StopWordsRequest(BaseModel):
    """The stop words of a language; null: the built-in ones."""

    model_config = ConfigDict(extra="forbid")
    words: Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=20_000)] | None


@router.get("/words/stop-words/{language}")
async def language_stop_words(language: str, dataset: OpenDataset) -> Response:
    """``words`` that are not counted in a language; ``is_own``: they are saved with the dataset."""
    is_own = await asyncio.to_thread(is_kept, dataset.history, language)
    found = await asyncio.to_thread(read_stop_words, dataset.history, [language])
    return json_response({"words": sorted(found), "is_own": is_own})


@router.put("/words/stop-words/{language}")
async def set_stop_words(language: str, body: StopWordsRequest, dataset: OpenDataset) -> Response:
    """Save a language's stop words with the dataset, also for `cutline words`; returns them."""
    found = await asyncio.to_thread(keep_stop_words, dataset.history, language, body.words)
    return json_response({"words": sorted(found), "is_own": body.words is not None})


@router.post("/words")
async def words(body: WordsRequest, workspace: OpenWorkspace) -> Response:
    """``terms`` of the scope with their counts (see `cutline words`), ``total`` before the limit."""
    found = await _terms(body, workspace)
    ends = found[: body.limit] + found[max(body.limit, len(found) - body.last) :]
    shown = [dataclasses.asdict(term) for term in ends]
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
    kept = await asyncio.to_thread(read_stop_words, dataset.history, lists)
    dropped = kept | {word.lower() for word in body.stop_words if word not in known}
    options = TermOptions(words=body.phrases, stop_words=dropped, least=body.least, order=body.order)
    found = await asyncio.to_thread(counted.terms, rows, rest, options)
    if body.reverse:
        found.reverse()
    part = body.contains.lower()
    return [term for term in found if part in term.term] if part else found
