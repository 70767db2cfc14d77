"""What a job does to every sample: the policy for existing texts, and the last touches of a caption."""

from __future__ import annotations

import dataclasses

from cutline.options import Existing
from cutline.prompts import finish_caption
from cutline.records import Caption, Reply, Step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SampleRules:
    """What a job does to every sample before and after it is captioned.

    ``existing``: the policy for samples that have a text. ``keep_data``: keep the picture's bytes after it
    is encoded for the model. ``one_line``: the text has no line breaks. ``keep_raw``: keep whole responses.
    ``recheck``: look at once more what is on another server, and has an outcome.
    """

    existing: Existing | None = None
    trigger: str = ""
    prefix: str = ""
    suffix: str = ""
    one_line: bool = False
    max_pixels: int
    allow_private_urls: bool = False
    user_agent: str | None = None
    keep_data: bool = True
    keep_raw: bool = False
    recheck: bool = False

    def finish(self, text: str, existing: str | None) -> str:
        """The text with trigger word, prefix and suffix, joined with the existing one."""
        finished = finish_caption(
            text,
            trigger=self.trigger,
            prefix=self.prefix,
            suffix=self.suffix,
            existing=existing,
            policy="overwrite" if self.existing is None or self.existing == "skip" else self.existing,
        )
        return " ".join(finished.split()) if self.one_line else finished

    def refinish(self, caption: Caption) -> Caption:
        """A caption of an earlier run with the trigger word, prefix, suffix and policy of this one."""
        draft = caption.draft
        if draft is None and caption.source is not None and not caption.checks:
            draft = caption.source.text
        if draft is None or (text := self.finish(draft, caption.existing)) == caption.text:
            return caption
        return dataclasses.replace(caption, text=text)

    def kept_steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """The steps as the journal keeps them."""
        if self.keep_raw or all(step.reply.raw is None for step in steps):
            return steps
        return tuple(dataclasses.replace(step, reply=self.kept_reply(step.reply)) for step in steps)

    def kept_reply(self, reply: Reply) -> Reply:
        """The reply without the whole response, unless that is kept."""
        return reply if self.keep_raw else dataclasses.replace(reply, raw=None)
