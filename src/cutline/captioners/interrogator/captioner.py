"""A captioner that appends labels, ranked by CLIP, to the caption of another captioner."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, get_args

from cutline.batcher import Batcher, in_background
from cutline.captioners.interrogator.labels import read_labels
from cutline.captioners.interrogator.modes import Mode, Modes
from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.clip import Clip
from cutline.errors import ConfigError, RunStopped
from cutline.formatting import did_you_mean
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt, clean_reply
from cutline.records import Reply, Usage
from cutline.worker_threads import in_thread

if TYPE_CHECKING:
    from PIL import Image

_MODES: Final = get_args(Mode)
_BATCH_SIZE: Final = 16
_SETTINGS: Final = ("clip", "labels", "caption")
_NO_FORMAT: Final = "interrogator adds words to a caption: it does not support a regex or schema"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What follows ``interrogator:``, such as ``best,labels=words,caption=blip:large``."""

    mode: Mode = "fast"
    clip: str = DEFAULT_CLIP
    labels: str | None = None
    caption: str = "blip"

    @classmethod
    def parse(cls, text: str) -> Settings:
        """Parse the settings; ``caption`` is the last, as it may contain commas.

        Raises:
            ConfigError: a mode or setting is unknown or empty; lists the known ones.
        """
        values: dict[str, str] = {}
        head, given, values["caption"] = text.partition("caption=")
        if not given:
            del values["caption"]
        for part in filter(None, (item.strip() for item in head.split(","))):
            name, equals, value = part.partition("=")
            if not equals and part in _MODES and "mode" not in values:
                values["mode"] = part
            elif equals and name in _SETTINGS and name not in values:
                values[name] = value
            else:
                known = ", ".join((*_MODES, *(f"{name}=…" for name in _SETTINGS)))
                hint = did_you_mean(name, {*_MODES, *_SETTINGS} - {name})
                raise ConfigError(
                    f"interrogator has no setting {part!r}{hint}; it has {known}, separated by commas"
                )
        for name, value in values.items():
            if not value:
                raise ConfigError(f"interrogator's {name} is empty: remove it, or give a value")
        return cls(**values)  # type: ignore[arg-type]  # the mode was checked


class Interrogator(Captioner):
    """Appends labels to the captions of the captioner that ``build`` creates; see ``modes``.

    ``device`` as for --device; one GPU is used.

    Raises:
        ConfigError: a setting is invalid, or the labels cannot be read.
        MissingExtra: the extra ``local`` is not installed.
    """

    def __init__(
        self, settings: str = "", *, build: Callable[[str], Captioner], device: str = "auto"
    ) -> None:
        self._settings = Settings.parse(settings)
        self._labels = read_labels(self._settings.labels)
        self._clip = Clip(self._settings.clip, device=device, batch_size=256)
        has_inner = self._settings.mode != "negative"
        self._inner: Captioner | None = build(self._settings.caption) if has_inner else None
        self.name = _name(self._settings, self._inner)
        own = Profile(default_prompt=Prompt(prefix=""), instructable=False)
        if self._inner is not None:
            own = dataclasses.replace(self._inner.profile, ignores=None, parameters=())
        # The time for `best` depends on the hardware more than on any fault.
        self.profile = dataclasses.replace(own, own_timeout=True)
        self._modes: Modes | None = None
        self._opening = asyncio.Lock()
        self._encoding = Batcher([self._encode], size=_BATCH_SIZE)

    @property
    def slots(self) -> int:
        """As many as the inner captioner has, up to two batches for CLIP."""
        inner = self._inner
        if inner is None:
            return _BATCH_SIZE
        return min(inner.slots, 2 * _BATCH_SIZE)

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for a prompt that the inner captioner does not support."""
        if prompt.regex is not None or prompt.schema is not None:
            raise ConfigError(_NO_FORMAT)
        if self._inner is None and (prompt.system or any(part.text for part in prompt.parts())):
            raise ConfigError("interrogator:negative takes no prompt: remove it")
        if self._inner is not None:
            self._inner.check_prompt(prompt)
        else:
            super().check_prompt(prompt)

    async def open(self, say: Say = silent) -> None:
        """Load both models and the labels' vectors, unless that was done; raises as the class says."""
        async with self._opening:
            if self._inner is not None:
                await self._inner.open(say)
            if self._modes is None:
                self._modes = await in_background(lambda: self._load(say))

    def _load(self, say: Say) -> Modes:
        self._clip.load(say)
        return Modes(self._clip, self._labels, say)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """The inner captioner's caption of the picture, followed by labels.

        Raises:
            RunStopped: the prompt has a regex or schema.
            PictureError, MemoryError: from CLIP; and what the inner captioner raises.
        """
        if prompt.regex is not None or prompt.schema is not None:
            raise RunStopped(_NO_FORMAT)
        await self.open()
        start = time.perf_counter()
        caption, reply = "", None
        if self._inner is not None:
            reply = await self._inner.caption(picture, prompt)
            caption = " ".join(clean_reply(reply.text).split()).rstrip(".")
        image = await in_thread(self._clip.decode, picture)
        text = await self._encoding.submit((image, caption))
        return Reply(
            text=text,
            model=self.name,
            usage=reply.usage if reply is not None else Usage(),
            finish_reason="stop",
            seconds=time.perf_counter() - start,
            raw={
                "text": text,
                "mode": self._settings.mode,
                "caption": reply.raw if reply is not None else None,
            },
        )

    def _encode(self, batch: Sequence[tuple[Image.Image, str]]) -> list[str]:
        assert self._modes is not None
        vectors = self._clip.pictures([image for image, _ in batch])
        mode = self._settings.mode
        return [
            self._modes.run(mode, vector, caption)
            for vector, (_, caption) in zip(vectors, batch, strict=True)
        ]

    def halt(self) -> None:
        if self._inner is not None:
            self._inner.halt()

    async def aclose(self) -> None:
        self._encoding.close()
        if self._inner is not None:
            await self._inner.aclose()


def _name(settings: Settings, inner: Captioner | None) -> str:
    """The full name, with all that determines the captions."""
    parts: list[str] = [settings.mode]
    if settings.clip != DEFAULT_CLIP:
        parts.append(f"clip={settings.clip}")
    if settings.labels is not None:
        parts.append(f"labels={settings.labels}")
    if inner is not None:
        parts.append(f"caption={inner.name}")
    return f"interrogator:{','.join(parts)}"
