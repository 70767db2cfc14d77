"""Chains: one picture through one or several named steps, some of which use the texts of others."""

from __future__ import annotations

from cutline.chain.chain import Chain, ChainResult
from cutline.chain.execution import NoteStep
from cutline.chain.step import ChainStep, StepFailed

__all__ = ["Chain", "ChainResult", "ChainStep", "NoteStep", "StepFailed"]
