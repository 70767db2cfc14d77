"""A dataset that is being listed, with progress for the page."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread

from cutline.dataset.dataset import Dataset
from cutline.dataset.writer import StopEdit
from cutline.studio.settings import StudioSettings


class ListedDataset:
    """Opens a dataset in a thread. ``listed``: the rows so far; ``result``: the dataset or the error.

    The exceptions of ``result`` are those of ``StudioSettings.open``, and StopEdit once it was stopped.
    """

    def __init__(self, settings: StudioSettings, folder: str) -> None:
        self.folder, self.settings = folder, settings
        self.listed = 0
        self.result: Future[Dataset] = Future()
        self._is_stopped = False
        Thread(target=self._open, name="studio-opening", daemon=True).start()

    def stop(self) -> None:
        self._is_stopped = True

    def _open(self) -> None:
        try:
            dataset = self.settings.open(self.folder, self._note)
        except BaseException as error:  # noqa: BLE001 - for who waits
            self.result.set_exception(error)
        else:
            self.result.set_result(dataset)

    def _note(self, rows: int) -> None:
        if self._is_stopped:
            raise StopEdit
        self.listed = rows
