"""The captioner that runs a model of transformers in this process."""

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
from cutline.captioners.transformers.generation import Answer
from cutline.captioners.transformers.inputs import Question, refusal
from cutline.captioners.transformers.replica import runner
from cutline.captioners.transformers.settings import Generation, Placing
from cutline.captioners.transformers.tensor_parallel.model import SpreadModel, places_for
from cutline.captioners.transformers.tensor_parallel.processes import Spread
from cutline.captioners.transformers.tensor_parallel.shard import check_divisible
from cutline.errors import ConfigError, ReplyError, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.parameters import COMMON
from cutline.prompts import Prompt
from cutline.records import Reply, Usage
from cutline.weights import choose_hardware, find_weights, local_folder
from cutline.worker_threads import in_thread

FIRST_ON_CPU: Final = 4  # pictures in the first batch: each word costs a pass through all weights
MOST_ON_CPU: Final = 16
MOST_ON_GPU: Final = 64


@dataclasses.dataclass(slots=True)
class _Shared:
    """What a captioner and those adjusted from it have in common: the model, once it is loaded."""

    batching: Batcher[Question, Answer] | None = None
    spread: list[SpreadModel] = dataclasses.field(default_factory=list)
    ended: bool = False

    def end_spread(self) -> None:
        self.ended = True
        while self.spread:
            self.spread.pop().close()


class TransformersCaptioner(Captioner):
    """Asks one local model; calls that wait are run as one batch, on every device that is used.

    ``repository``: a folder or a name on the hub. ``label``: what the user called the model. ``timeout``
    in seconds for each picture of a batch; a model that takes longer is taken to hang.
    The model is loaded by ``open``, or by the first call.

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
        placing: Placing,
        max_side: int,
        timeout: float,
    ) -> None:
        model_loader.check_installed()
        self.name = label
        self._repository = repository
        self._generation = generation
        self._placing = placing
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
        if placing.batch_size != "auto" and placing.batch_size < 1:
            raise ConfigError(f"--batch-size must be auto or greater than 0, not {placing.batch_size}")
        self._hardware = choose_hardware(placing.device, placing.dtype)
        self._places = places_for(self._hardware.devices, placing)
        self._loaded = _Shared()
        self._opening = asyncio.Lock()

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for a prompt that this family would not understand."""
        words = refusal(self._family, prompt)
        if words:
            raise ConfigError(f"{self.name} {words}")

    @property
    def slots(self) -> int:
        most = self._most if self._placing.batch_size == "auto" else self._placing.batch_size
        return 2 * most * len(self._places)

    @property
    def _most(self) -> int:
        return MOST_ON_CPU if set(self._hardware.devices) == {"cpu"} else MOST_ON_GPU

    async def open(self, say: Say = silent) -> None:
        """Find, download and load the weights, unless that was done.

        Raises:
            ConfigError, MissingExtra: the model cannot be had or loaded.
        """
        async with self._opening:
            if self._loaded.batching is None:
                self._loaded.ended = False
                self._loaded.batching = await in_background(lambda: self._load(say))

    def adjusted(self, parameters: Mapping[str, Any]) -> TransformersCaptioner:
        """The same loaded model, asked with other parameters."""
        other = copy.copy(self)
        other._generation = dataclasses.replace(self._generation, **parameters)  # noqa: SLF001 - one of our own
        return other

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Ask about one picture, in a batch with others.

        Raises:
            PictureError: the picture cannot be opened.
            ReplyError: ``truncated``.
            SampleError: ``prompt-too-long``, ``out-of-memory``.
            RunStopped: the model cannot follow this prompt.
        """
        batching = self._loaded.batching
        if batching is None:
            await self.open()
            batching = self._loaded.batching
        assert batching is not None
        question = await in_thread(self._question, picture, prompt)
        try:
            answer = await batching.submit(question, seconds=self._timeout)
        except TimeoutError:
            raise RunStopped(
                f"{self.name} does not come back from a batch (--timeout {self._timeout:g} a picture): "
                "start again with a smaller --batch-size, or a larger --timeout"
            ) from None
        reply = Reply(
            text=answer.text,
            model=self.name,
            usage=Usage(prompt_tokens=answer.prompt_tokens, completion_tokens=answer.tokens),
            finish_reason="stop" if answer.ended else "length",
            seconds=answer.seconds,
            raw={"text": answer.raw, "model": self._repository},
        )
        if not answer.ended:
            error = ReplyError(
                "truncated", f"{self.name} was not done after {answer.tokens} tokens: raise --max-tokens"
            )
            error.reply = reply
            raise error
        return reply

    def halt(self) -> None:
        if self._loaded.batching is not None:
            self._loaded.batching.halt()

    async def aclose(self) -> None:
        if self._loaded.batching is not None:
            batching, self._loaded.batching = self._loaded.batching, None
            await in_thread(batching.close)
            gc.collect()
        await in_thread(self._loaded.end_spread)

    def _question(self, picture: Picture, prompt: Prompt) -> Question:
        seed = 0
        if self._generation.temperature:
            seed = int.from_bytes(hashlib.blake2b(picture.data, digest_size=7).digest(), "big")
        image = picture.image(max_side=self._max_side)
        return Question(image=image, prompt=prompt, seed=seed, generation=self._generation)

    def _load(self, say: Say) -> Batcher[Question, Answer]:
        folder = find_weights(self._repository, say)
        self._family = self._family.of(model_loader.read_config(folder), folder)
        runs = [self._replica(folder, devices, say) for devices in self._places]
        size = self._placing.batch_size
        first = FIRST_ON_CPU if self._most == MOST_ON_CPU else 1
        batching = Batcher(runs, size=0 if size == "auto" else size, max_size=self._most, first_size=first)
        if self._loaded.ended:  # while it was loading: nobody will take it
            batching.close()
        return batching

    def _replica(self, folder: Path, devices: tuple[str, ...], say: Say) -> Any:
        """What runs a batch on the model, loaded onto one device or spread over several."""
        hardware, placing = self._hardware, self._placing
        say(f"loading {self.name} on {' + '.join(devices)} ({hardware.dtype})")
        if len(devices) == 1:
            loaded = model_loader.load(folder, hardware, devices[0], quantize=placing.quantize)
            if placing.quantize is None:
                from cutline.captioners.transformers.acceleration import accelerate

                accelerate(loaded, self.name, say)
            return runner(loaded, self._family, self._generation)
        check_divisible(folder, len(devices), placing.parallel_engine)
        spread = Spread(
            folder=folder,
            family=self._family.name,
            label=self.name,
            devices=devices,
            dtype=hardware.dtype,
            generation=self._generation,
            engine=placing.parallel_engine,
        )
        model = SpreadModel(spread)
        self._loaded.spread.append(model)  # first, so that `aclose` ends what is still loading
        if self._loaded.ended:
            model.close()
        model.start()
        return model.run
