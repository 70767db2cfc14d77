"""Shared by the routes: the open dataset of a request, and checks of row numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, cast

import numpy as np
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import RowNumbers
from cutline.service.errors import ServiceError
from cutline.studio.workspace import Workspace

Row = Annotated[int, Field(ge=-1, lt=2**31)]
Text = Annotated[str, Field(max_length=100_000_000)]
"""Of any length; without a limit half characters (lone surrogates) pass, which no file takes."""
Caption = Annotated[str, Field(max_length=1_000_000)]
Rows = Annotated[list[Row], Field(max_length=5_000_000)]


class Scope(BaseModel):
    """A scope: these rows, or those that match a query, or all if both are null."""

    model_config = ConfigDict(extra="forbid")
    rows: Rows | None = None
    query: Annotated[str, Field(max_length=10_000)] | None = None


async def workspace_of(request: Request) -> AsyncIterator[Workspace]:
    workspace = cast("Workspace", request.app.state.workspace)
    with workspace.thumbnails.held():
        yield workspace


OpenWorkspace = Annotated[Workspace, Depends(workspace_of)]


async def dataset_of(workspace: OpenWorkspace) -> Dataset:
    return workspace.dataset


OpenDataset = Annotated[Dataset, Depends(dataset_of)]


def check_row(dataset: Dataset, row: int) -> int:
    """Raises ServiceError 404: there is no such row."""
    if not 0 <= row < len(dataset):
        raise ServiceError(404, f"there is no row {row}")
    return row


def row_numbers(dataset: Dataset, rows: list[int] | None) -> RowNumbers | None:
    if rows is None:
        return None
    return check_rows(dataset, np.array(rows, dtype=np.int64))


def check_rows(dataset: Dataset, numbers: RowNumbers) -> RowNumbers:
    """Raises ServiceError 404: one of the rows does not exist."""
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(dataset)):
        raise ServiceError(404, "there is no such row")
    return numbers


async def scope_numbers(dataset: Dataset, scope: Scope) -> RowNumbers | None:
    """The rows of a scope, None for all; raises QueryError, or ServiceError 404 for an unknown row."""
    if scope.rows is None and scope.query is not None:
        return await asyncio.to_thread(dataset.find, scope.query)
    return row_numbers(dataset, scope.rows)


async def scope_rows(dataset: Dataset, scope: Scope) -> list[int]:
    """As ``scope_numbers``, sorted and unique, with all rows as numbers."""
    found = await scope_numbers(dataset, scope)
    return list(range(len(dataset)) if found is None else dict.fromkeys(found.tolist()))
