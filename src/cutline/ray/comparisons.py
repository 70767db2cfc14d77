"""Checks that compare the captions of a run with each other: the driver makes them, as it has all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from cutline.engine.stage_runner import StageRunner, is_kept
from cutline.errors import SampleError
from cutline.interfaces import Check, CheckResult, Draft, Rejection, Violation
from cutline.ray.messages import Compared, Comparison, Forgotten
from cutline.ray.outbox import Outbox
from cutline.ray.shards import Shard
from cutline.records import Sample


class RemoteCheck(Check):
    """A check of which the driver has the real one."""

    remembers = True

    def __init__(self, check: Check, outbox: Outbox) -> None:
        super().__init__(check.options)
        self.name = check.name
        self._check = check
        self._outbox = outbox

    @property
    def fingerprint(self) -> str:
        return self._check.fingerprint

    async def open(self, say: Callable[[str], None]) -> None:
        """The driver opens the real one."""

    async def aclose(self) -> None:
        """As ``open``."""

    async def check(self, draft: Draft) -> CheckResult | Rejection | Violation:
        found: Compared = await self._outbox.ask(
            lambda number: Comparison(
                number=number,
                check=self.name,
                key=draft.sample.key,
                picture=draft.picture_id,
                text=draft.text,
                fields=draft.fields,
            )
        )
        if isinstance(found, SampleError):
            raise found
        return found

    def forget(self, text: str, picture: str) -> None:
        self._outbox.add(Forgotten(check=self.name, text=text, picture=picture))


@dataclasses.dataclass(frozen=True, slots=True)
class Comparisons:
    """The checks at the driver. A caption that all of them keep is remembered at once."""

    stages: StageRunner

    async def open(self, say: Callable[[str], None]) -> None:
        for check in self._checks.values():
            await check.open(say)

    @property
    def _checks(self) -> dict[str, Check]:
        return {check.name: check for check in self.stages.checks if check.remembers}

    async def check(self, event: Comparison, shard: Shard) -> Compared:
        checks = self._checks
        check = checks[event.check]
        # Without the picture, which these checks know by its id alone.
        draft: Any = Draft(
            sample=Sample(key=event.picture, location=None),
            picture=None,  # type: ignore[arg-type]  # see above
            text=event.text,
            fields=event.fields,
        )
        try:
            found = await check.check(draft)
        except SampleError as error:
            return error
        if check is list(checks.values())[-1] and (kept := is_kept(check, draft, found)) is not None:
            for each in checks.values():
                each.remember(kept, event.picture)
            shard.compared[event.key] = (kept, event.picture)
        return found

    def forget(self, event: Forgotten) -> None:
        self._checks[event.check].forget(event.text, event.picture)

    def release(self, shard: Shard) -> None:
        """Forget captions of which a worker that died sent no outcome."""
        for check in self._checks.values():
            for text, picture in shard.compared.values():
                check.forget(text, picture)
        shard.compared.clear()
