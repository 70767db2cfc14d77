"""What captions that ``--on-change keep`` leaves lack of a job's prompts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cutline.chain import Chain
from cutline.formatting import plural, printable
from cutline.records import Caption


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptPrompts:
    """How many kept captions lack each prompt or step of the job, as it is now, by its name.

    ``repeated`` of them are of an older version, which did not record their requests: they are paid again.
    """

    lacking: Mapping[str, int] = dataclasses.field(default_factory=dict)
    repeated: int = 0

    @classmethod
    def of(cls, chain: Chain, captions: Iterable[Caption]) -> KeptPrompts:
        wanted = {(step.name, step.prompt.id) for step in chain.steps}
        lacking: Counter[str] = Counter()
        repeated = 0
        for caption in (one for one in captions if one.steps):
            has = {(step.name, step.prompt_id) for step in caption.steps}
            missing = {name for name, _ in wanted - has} - caption.missing_steps.keys()
            lacking.update(missing)
            repeated += bool(missing) and not all(step.asked for step in caption.steps)
        ordered = {step.name: lacking[step.name] for step in chain.steps if step.name in lacking}
        return cls(lacking=ordered, repeated=repeated)

    def advice(self) -> Iterator[str]:
        """What the captions lack, and what adds it, in a line; none if they lack nothing."""
        if not self.lacking:
            return
        counts = (
            f"{plural(count, 'caption')} without {printable(name)} as it is now"
            for name, count in self.lacking.items()
        )
        paid = "requests nothing else of them"
        if self.repeated:
            paid = f"requests {plural(self.repeated, 'caption')} of an older version again"
        added = "it" if len(self.lacking) == 1 else "them"
        yield (
            f"--on-change keep leaves captions as they are: {', '.join(counts)}; --on-change redo-all adds "
            f"{added} and {paid}"
        )
