"""Proposed captions, which a person accepts or rejects. They are kept in the history, and change by edits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import orjson

from cutline.dataset.contents import PROPOSAL
from cutline.dataset.history import History
from cutline.dataset.records import Change


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A caption that a model proposes."""

    caption: str
    model: str = ""
    prompt_id: str = ""

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, content: bytes) -> Proposal:
        return cls(**orjson.loads(content))


class Proposals:
    """The proposed captions by the keys of the pictures; at most one for each."""

    def __init__(self, history: History) -> None:
        found = history.values(PROPOSAL)
        self._proposals = {key: Proposal.decode(content) for key, content in found.items()}

    def __len__(self) -> int:
        return len(self._proposals)

    def of(self, key: str) -> Proposal | None:
        return self._proposals.get(key)

    def keys(self) -> frozenset[str]:
        return frozenset(self._proposals)

    def changes(self, proposals: Mapping[str, Proposal]) -> list[Change]:
        """What puts these proposals in place of those that are there."""
        return [self._change(key, proposal) for key, proposal in proposals.items()]

    def removals(self, keys: Iterable[str]) -> list[Change]:
        """What removes the proposals of these pictures, where they have any."""
        return [self._change(key, None) for key in keys if key in self._proposals]

    def note(self, contents: Mapping[str, bytes | None]) -> set[str]:
        """Take over what an edit has written; returns the keys of the pictures."""
        keys = set()
        for name, content in contents.items():
            if name.startswith(PROPOSAL):
                key = name[len(PROPOSAL) :]
                keys.add(key)
                if content is None:
                    self._proposals.pop(key, None)
                else:
                    self._proposals[key] = Proposal.decode(content)
        return keys

    def _change(self, key: str, proposal: Proposal | None) -> Change:
        before = self._proposals.get(key)
        return Change(
            file=PROPOSAL + key,
            before=before.encode() if before is not None else None,
            after=proposal.encode() if proposal is not None else None,
        )
