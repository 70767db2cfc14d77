"""Chains: one picture through one or several named steps, some of which use what others said."""

from __future__ import annotations

from cutline.chain.asking import ChainStep, StepFailed
from cutline.chain.chain import Chain, Followed
from cutline.chain.course import NoteStep

__all__ = ["Chain", "ChainStep", "Followed", "NoteStep", "StepFailed"]
