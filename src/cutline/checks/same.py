"""One text as the caption of several pictures."""

from __future__ import annotations

import collections
import dataclasses
import hashlib

from cutline.errors import ConfigError
from cutline.formatting import plural
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.text.differences import words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SameOptions:
    """How many pictures may have one text."""

    most: int = 3
    """Pictures that keep the text; equal bytes are one picture."""
    action: Action = "fail"
    """What becomes of the caption of each further picture."""


class Same(Check):
    """Counts pictures by the words of their captions, without case and punctuation.

    The first ``most`` pictures of a text keep it, in the order in which their captions are ready; earlier
    runs of the output come first.
    """

    name = "same"
    Options = SameOptions
    remembers = True

    def __init__(self, options: SameOptions) -> None:
        super().__init__(options)
        if options.most < 1:
            raise ConfigError(
                f"--check same takes how many pictures may have one text, 1 or more, not {options.most}"
            )
        # Most texts have one picture: a number takes a sixth of the memory of a counter.
        self._pictures: dict[int, int | collections.Counter[int]] = {}

    async def check(self, draft: Draft) -> CheckResult | Violation:
        text, picture = _number(_plain(draft.text)), _number(draft.picture_id)
        holders = self._holders(text)
        if picture in holders or len(holders) < self.options.most:
            return CheckResult(text=draft.text, fields=draft.fields)
        others = plural(len(holders), "other picture has", "other pictures have")
        most = plural(self.options.most, "picture")
        return Violation(reason=f"text of more than {most}", message=f"{others} the same caption")

    def remember(self, text: str, picture: str) -> None:
        key, number = _number(_plain(text)), _number(picture)
        if key not in self._pictures:
            self._pictures[key] = number
            return
        holders = self._holders(key)
        holders[number] += 1
        self._pictures[key] = holders

    def forget(self, text: str, picture: str) -> None:
        key, number = _number(_plain(text)), _number(picture)
        holders = self._holders(key)
        holders[number] -= 1
        if left := +holders:
            self._pictures[key] = left
        else:
            self._pictures.pop(key, None)

    def _holders(self, text: int) -> collections.Counter[int]:
        """The pictures of a text, each with the number of samples that have it."""
        found = self._pictures.get(text)
        if found is None:
            return collections.Counter()
        return collections.Counter({found: 1}) if isinstance(found, int) else found


def _plain(text: str) -> str:
    return " ".join(words(text)) or text.strip()


def _number(text: str) -> int:
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)
