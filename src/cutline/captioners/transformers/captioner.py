"""Captioner for models of transformers in this process."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cutline.batcher import Batcher, in_background
from cutline.captioners.transformers import model_loader
from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.generation import GeneratedText, RunBatch, batch_runner
from cutline.captioners.transformers.inputs import GenerationRequest, unsupported_reason
from cutline.captioners.transformers.settings import Generation, Placement
from cutline.captioners.transformers.tensor_parallel.model import TensorParallelModel, device_groups
from cutline.captioners.transformers.tensor_parallel.processes import ParallelSpec
from cutline.captioners.transformers.tensor_parallel.shard import check_divisible
from cutline.errors import ConfigError, ReplyError, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.parameters import COMMON
from cutline.prompts import Prompt
from cutline.records import Reply, Usage
from cutline.weights import choose_hardware, find_weights, local_folder
from cutline.worker_threads import in_thread

CPU_FIRST_BATCH: Final = 4  # pictures of the first batch: each token costs a pass through all weights
CPU_MAX_BATCH: Final = 16
GPU_MAX_BATCH: Final = 64


@dataclasses.dataclass(slots=True)
class _LoadedState:
    """The loaded model, shared by a captioner and those adjusted from it."""

    batcher: Batcher[GenerationRequest, GeneratedText] | None = None
    parallel: list[TensorParallelModel] = dataclasses.field(default_factory=list)
    ended: bool = False
    chat: bool = True  # unless it is known to have no chat template

    def end_parallel(self) -> None:
        self.ended = True
        while self.parallel:
            self.parallel.pop().close()


class TransformersCaptioner(Captioner):
    """Runs one local model in batches, with a replica on each device.

    ``repository``: a folder or a name on the hub. ``label``: the name that the user gave. ``timeout`` in
    seconds for each picture of a batch. The model is loaded by ``open``, or by the first call.

    Raises:
        ConfigError: the folder or an option cannot be used.
        MissingExtra: the extra ``local`` is not installed.
    """

    def __init__(
        self,
        family: Family,
        repository: str,
        *,
        label: str,
        generation: Generation,
        placement: Placement,
        max_side: int,
        timeout: float,
    ) -> None:
        model_loader.check_installed()
        self.name = label
        self._repository = repository
        self._generation = generation
        self._placement = placement
        self._max_side = max_side
        self._timeout = timeout
        folder = local_folder(repository)
        self._family = family.of(model_loader.read_config(folder), folder) if folder is not None else family
        self.profile = Profile(
            default_prompt=self._family.default_prompt,
            instructable=self._family.instructable,
            own_timeout=True,  # a call waits for its batch
            parameters=COMMON,
        )
        if placement.batch_size != "auto" and placement.batch_size < 1:
            raise ConfigError(f"--batch-size must be auto or greater than 0, not {placement.batch_size}")
        self._hardware = choose_hardware(placement.device, placement.dtype)
        self._groups = device_groups(self._hardware.devices, placement)
        self._loaded = _LoadedState()
        self._opening = asyncio.Lock()

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for a prompt that this family does not support."""
        reason = unsupported_reason(self._family, prompt, chat=self._loaded.chat)
        if reason:
            raise ConfigError(f"{self.name} {reason}")

    @property
    def slots(self) -> int:
        size = self._max_batch if self._placement.batch_size == "auto" else self._placement.batch_size
        return 2 * size * len(self._groups)

    @property
    def _max_batch(self) -> int:
        return CPU_MAX_BATCH if set(self._hardware.devices) == {"cpu"} else GPU_MAX_BATCH

    async def open(self, say: Say = silent) -> None:
        """Find, download and load the weights, unless that was done.

        Raises:
            ConfigError, MissingExtra: the model cannot be found or loaded.
        """
        async with self._opening:
            if self._loaded.batcher is None:
                self._loaded.ended = False
                self._loaded.batcher = await in_background(lambda: self._load(say))

    def adjusted(self, parameters: Mapping[str, Any]) -> TransformersCaptioner:
        """The same loaded model with other parameters."""
        other = copy.copy(self)
        other._generation = dataclasses.replace(self._generation, **parameters)  # noqa: SLF001 - one of our own
        other._generation.check()  # noqa: SLF001 - another object of this class
        return other

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture, in a batch with others.

        Raises:
            PictureError: the picture cannot be decoded.
            ReplyError: ``truncated``.
            SampleError: ``prompt-too-long``, ``out-of-memory``.
            RunStopped: the model does not support this prompt, or hangs.
        """
        batcher = self._loaded.batcher
        if batcher is None:
            await self.open()
            batcher = self._loaded.batcher
        assert batcher is not None
        request = await in_thread(self._request, picture, prompt)
        try:
            result = await batcher.submit(request, seconds=self._timeout)
        except TimeoutError:
            raise RunStopped(
                f"{self.name} did not finish a batch (--timeout {self._timeout:g} a picture): "
                "run again with a smaller --batch-size, or a larger --timeout"
            ) from None
        reply = Reply(
            text=result.text,
            model=self.name,
            usage=Usage(prompt_tokens=result.prompt_tokens, completion_tokens=result.tokens),
            finish_reason="stop" if result.ended else "length",
            seconds=result.seconds,
            raw={"text": result.raw, "model": self._repository},
        )
        if not result.ended:
            error = ReplyError(
                "truncated", f"{self.name} was not done after {result.tokens} tokens: increase --max-tokens"
            )
            error.reply = reply
            raise error
        return reply

    def halt(self) -> None:
        if self._loaded.batcher is not None:
            self._loaded.batcher.halt()

    async def aclose(self) -> None:
        if self._loaded.batcher is not None:
            batcher, self._loaded.batcher = self._loaded.batcher, None
            await in_thread(batcher.close)
            gc.collect()
        await in_thread(self._loaded.end_parallel)

    def _request(self, picture: Picture, prompt: Prompt) -> GenerationRequest:
        seed = 0
        if self._generation.temperature:
            seed = int.from_bytes(hashlib.blake2b(picture.data, digest_size=7).digest(), "big")
        image = picture.image(max_side=self._max_side)
        return GenerationRequest(image=image, prompt=prompt, seed=seed, generation=self._generation)

    def _load(self, say: Say) -> Batcher[GenerationRequest, GeneratedText]:
        folder = find_weights(self._repository, say, option="--model hf:FOLDER")
        self._family = self._family.of(model_loader.read_config(folder), folder)
        runs = [self._replica(folder, devices, say) for devices in self._groups]
        size = self._placement.batch_size
        first = CPU_FIRST_BATCH if self._max_batch == CPU_MAX_BATCH else 1
        batcher = Batcher(
            runs, size=0 if size == "auto" else size, max_size=self._max_batch, first_size=first
        )
        if self._loaded.ended:  # closed while it was loading
            batcher.close()
        return batcher

    def _replica(self, folder: Path, devices: tuple[str, ...], say: Say) -> RunBatch:
        """Load the model onto one device, or divided over several."""
        hardware, placement = self._hardware, self._placement
        say(f"loading {self.name} on {' + '.join(devices)} ({hardware.dtype})")
        if len(devices) == 1:
            loaded = model_loader.load(folder, hardware, devices[0], quantize=placement.quantize)
            self._loaded.chat = loaded.chat
            if placement.quantize is None:
                from cutline.captioners.transformers.acceleration import accelerate

                accelerate(loaded, self.name, say)
            return batch_runner(loaded, self._family, self._generation)
        check_divisible(folder, len(devices), placement.parallel_engine)
        spec = ParallelSpec(
            folder=folder,
            family=self._family.name,
            label=self.name,
            devices=devices,
            dtype=hardware.dtype,
            generation=self._generation,
            engine=placement.parallel_engine,
        )
        model = TensorParallelModel(spec)
        self._loaded.parallel.append(model)  # first, so that `aclose` ends what is still loading
        if self._loaded.ended:
            model.close()
        model.start()
        return model.run
