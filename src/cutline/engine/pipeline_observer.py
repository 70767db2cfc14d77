"""What happens to a sample before it has its outcome."""

from __future__ import annotations

from typing import Protocol

from cutline.records import Step


class PipelineObserver(Protocol):
    """Receives the events of a sample before its outcome."""

    def download_started(self) -> None: ...

    def step_finished(self, key: str, content_id: str, step: Step) -> None:
        """A step has its reply while other steps of the chain, or another request, are pending."""

    def check_budget(self) -> None:
        """Raise RunStopped where no other request may be made for a sample that has a reply."""
