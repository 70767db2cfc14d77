"""Models that stay loaded between calls: ``load`` and ``aload``."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from cutline.call_options import LoadOptions, PromptInput, job_data, model_name
from cutline.credentials import given_key
from cutline.display import progress_hook
from cutline.engine.model_session import ModelSession
from cutline.engine.progress import ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.keyword_names import keyword_names, with_keywords
from cutline.model_runtime import Runtime, abandon, started_runtime
from cutline.records import Sample
from cutline.result_window import ResultWindow, alisted, listed, total_of
from cutline.results import CaptionOptions, CaptionResult
from cutline.sources.listed import sample_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from cutline.imaging.picture_objects import PictureObject

PictureInput: TypeAlias = "str | os.PathLike[str] | PictureObject | Mapping[str, Any]"
"""One picture: a path, an http(s) URL, what a program holds, or a mapping as a row of a table."""


def load(
    model: str = "pixels",
    *,
    prompt: PromptInput = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[LoadOptions],
) -> LoadedModel:
    """Load a model and keep it: for one picture after another, and for ``caption(model=…)``.

    A model that is loaded already, with the same options, is shared. Works in notebooks and from
    several threads.

    Args:
        model: ``provider:name``, as ``cutline models`` lists them; also for endpoints.
        prompt: the default prompt of its pictures, as for ``caption``.
        api_key: the service's key, where its environment variable is not set.
        progress: True shows what is waited for while loading; a function gets each ``Progress``.
        **options: see ``LoadOptions``.

    Raises:
        ConfigError: an option is wrong or the model cannot be loaded; the message names the cure.
    """
    with keyword_names(), progress_hook(progress) as show:
        runtime, job, key = started_runtime(), _job(model, prompt, options), given_key(api_key)
        return LoadedModel(runtime, runtime.loop.run(runtime.open(job, key, show)))


def aload(
    model: str = "pixels",
    *,
    prompt: PromptInput = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[LoadOptions],
) -> _Load:
    """As ``load``, for use within an event loop: ``await`` it, or use it with ``async with``."""
    return _Load(_loaded(model, options, prompt=prompt, api_key=api_key, progress=progress))


async def _loaded(
    model: str,
    options: LoadOptions,
    *,
    prompt: PromptInput,
    api_key: str | None,
    progress: bool | ProgressHook,
) -> LoadedModel:
    with keyword_names(), progress_hook(progress) as show:
        runtime, job, key = started_runtime(), _job(model, prompt, options), given_key(api_key)
        return LoadedModel(runtime, await runtime.loop.arun(runtime.open(job, key, show)))


class _Load(Coroutine[Any, Any, "LoadedModel"]):
    """Loads a model: as a coroutine, or as a context that closes the model at its end."""

    def __init__(self, load: Coroutine[Any, Any, LoadedModel]) -> None:
        self._load = load
        self._model: LoadedModel | None = None

    def send(self, value: Any) -> Any:
        return self._load.send(value)

    def throw(self, *error: Any) -> Any:
        return self._load.throw(*error)

    def close(self) -> None:
        self._load.close()

    def __await__(self) -> Generator[Any, Any, LoadedModel]:
        return self._load.__await__()

    async def __aenter__(self) -> LoadedModel:
        self._model = await self._load
        return self._model

    async def __aexit__(self, *exc: object) -> None:
        if self._model is not None:
            await self._model.aclose()


class LoadedModel:
    """A loaded model, or a chain of models. Use it as a context, or call ``close``.

    Its methods can be called from several threads and event loops at the same time. What is wrong with one
    picture is the result's ``error``; exceptions are for everything else.
    """

    def __init__(self, runtime: Runtime, session: ModelSession) -> None:
        self._runtime = runtime
        self.session = session
        self._release = weakref.finalize(self, abandon, runtime, session)
        self._release.atexit = False  # see `model_runtime`

    @property
    def name(self) -> str:
        """The model's name; of a chain the names of its models."""
        return self.session.name

    @property
    def job(self) -> Job:
        """The options that it was loaded with."""
        return self.session.job

    @property
    def runtime(self) -> Runtime:
        """Where it runs.

        Raises:
            ConfigError: it is closed, or the caller runs there.
        """
        if not self._release.alive or not self._runtime.loop.is_alive:
            raise ConfigError(f"the model {self.name} is closed; load it again")
        if self._runtime.loop.is_current:
            raise ConfigError("a progress function cannot wait for a picture")
        return self._runtime

    def caption(self, image: PictureInput, **options: Unpack[CaptionOptions]) -> CaptionResult:
        """Caption one picture.

        Raises:
            ConfigError: the model does not support one of the options.
            RunStopped: the model cannot be used any more; the message names the cure.
        """
        return self.runtime.loop.run(self._caption(sample_of(image, 1), 0, options))

    async def acaption(self, image: PictureInput, **options: Unpack[CaptionOptions]) -> CaptionResult:
        """As ``caption``, for use within an event loop."""
        return await self.runtime.loop.arun(self._caption(sample_of(image, 1), 0, options))

    def map(
        self,
        images: Iterable[PictureInput],
        *,
        progress: bool | ProgressHook = False,
        **options: Unpack[CaptionOptions],
    ) -> Iterator[CaptionResult]:
        """The results of many pictures in their order, each as soon as it and those before it are there.

        As many pictures are in progress as the model has slots, and a few more are prepared; ``images`` is
        read no further and may be endless. What is not a picture has an ``error`` too. Closing the iterator
        cancels what is in progress. ``progress`` is as for ``caption``, after each result. Raises as
        ``caption``.
        """
        with progress_hook(progress) as show, self._window(images, options, show) as window:
            for image in listed(images):
                window.add(image)
                while window.has_next:
                    yield window.next()
            while window:
                yield window.next()

    async def amap(
        self,
        images: Iterable[PictureInput] | AsyncIterable[PictureInput],
        *,
        progress: bool | ProgressHook = False,
        **options: Unpack[CaptionOptions],
    ) -> AsyncIterator[CaptionResult]:
        """As ``map``, for use within an event loop; ``images`` may be asynchronous."""
        with progress_hook(progress) as show, self._window(images, options, show) as window:
            async for image in alisted(images):
                window.add(image)
                while window.has_next:
                    yield await window.anext()
            while window:
                yield await window.anext()

    def _window(
        self, images: object, options: CaptionOptions, show: ProgressHook
    ) -> contextlib.closing[ResultWindow]:
        window = ResultWindow(
            lambda sample, index: self.submit(sample, index, options),
            lambda: self.session.window,
            show=show,
            total=total_of(images),
        )
        return contextlib.closing(window)

    def close(self) -> None:
        """Free the model, unless other handles share it; pictures in progress are cancelled."""
        if self._release.detach() is not None and self._runtime.loop.is_alive:
            self._runtime.loop.run(self._runtime.close(self.session))

    async def aclose(self) -> None:
        """As ``close``, for use within an event loop."""
        if self._release.detach() is not None and self._runtime.loop.is_alive:
            await self._runtime.loop.arun(self._runtime.close(self.session))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{'' if self._release.alive else ', closed'}>"

    def submit(self, sample: Sample, index: int, options: CaptionOptions) -> Future[CaptionResult]:
        """Start captioning a picture; raises ConfigError as ``runtime``."""
        return self.runtime.loop.submit(self._caption(sample, index, options))

    async def _caption(self, sample: Sample, index: int, options: CaptionOptions) -> CaptionResult:
        with keyword_names():
            outcome = await self.session.caption(sample, options)
        result = CaptionResult.of(outcome, image=sample.key, index=index)
        return result if result.error is None else replace(result, error=with_keywords(result.error))


def _job(model: str, prompt: PromptInput, options: LoadOptions) -> Job:
    data = job_data(options, call="load()", prompt=prompt, known=LoadOptions.__annotations__)
    data["model"]["model"] = model_name(model)
    return Job.from_dict({**data, "input_path": ""}, origin="load()")
