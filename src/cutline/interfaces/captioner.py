"""What captions a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol, runtime_checkable

from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces.messages import Say, silent
from cutline.parameters import Parameter
from cutline.prompts import Prompt
from cutline.records import Reply, Slowdown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a captioner is and what it supports.

    ``default_prompt`` is used where no prompt is given. ``instructable``: it follows instructions.
    ``ignores`` returns whether a prompt has no effect on its captions; None where every prompt has one.
    ``own_timeout``: it limits the time of its calls itself, since they wait for a batch or a thread.
    ``parameters`` are those that ``adjusted`` accepts, with their ranges.
    """

    default_prompt: Prompt | None = None
    instructable: bool = True
    ignores: Callable[[Prompt], bool] | None = None
    own_timeout: bool = False
    parameters: tuple[Parameter, ...] = ()


@runtime_checkable
class Captioner(Protocol):
    """Turns one picture and one prompt into one reply.

    Subclasses provide ``name``, ``caption`` and ``aclose``; to batch, they gather the waiting calls.
    """

    name: str
    profile: Profile = Profile()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            PictureError, ReplyError: this picture cannot be captioned.
            RequestError: the request failed; ``Retryable`` means that a retry may succeed.
            RunStopped: no picture can be captioned until the user changes something.
        """

    async def aclose(self) -> None:
        """Free what the captioner holds; called once."""

    async def open(self, say: Say = silent) -> None:
        """Load what is needed, if not yet done, as ``caption`` does; raises ConfigError if it cannot."""
        return

    async def prepare(self, picture: Picture) -> None:
        """Do the work that needs no slot, such as encoding, before ``caption`` takes one."""
        return

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for a prompt that the captioner cannot use; it names what can be used."""
        if not prompt.is_one_message:
            raise ConfigError(f"{self.name} takes one picture in a request: send one")

    def adjusted(self, parameters: Mapping[str, Any]) -> Captioner:
        """The same model and connections with other ``parameters``, of those in ``profile.parameters``.

        The result owns nothing and is not closed. Raises ConfigError for an unsupported parameter.
        """
        it = "it" if len(parameters) == 1 else "them"
        raise ConfigError(f"{self.name} does not support {' and '.join(parameters)}; remove {it}")

    def halt(self) -> None:
        """Start no more calls: those that wait raise RunStopped, those under way finish."""
        return

    @property
    def slots(self) -> int:
        """How many calls it can use at once now; the engine's window follows it."""
        return 1

    @property
    def at_once(self) -> int:
        """Pictures that are captioned at once; ``slots`` can be more, which are prepared meanwhile."""
        return self.slots

    @property
    def in_flight(self) -> int:
        """Calls that hold a slot now."""
        return 0

    @property
    def slowdown(self) -> Slowdown:
        """What refusals of its endpoint cost so far."""
        return Slowdown()

    @property
    def retries(self) -> Mapping[str, int]:
        """Requests that were sent again so far, by cause: an HTTP status or a kind of failure."""
        return {}

    @property
    def limit_key(self) -> Hashable:
        """What its concurrency limit belongs to: captioners with equal keys share one."""
        return id(self)
