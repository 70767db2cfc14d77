"""Models whose fields have their docstrings as descriptions in the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class DescribedModel(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)
