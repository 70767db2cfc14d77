"""Verdicts of a judge: the outcomes of the job that plays the games."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from cutline.interfaces import Sink
from cutline.judgment.games import Schedule, Winner
from cutline.judgment.results import PlayedGame
from cutline.records import JSON, Caption, Failure, Outcome, Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReply:
    """The judge's reply about one sample: ``fields`` of its JSON, or the ``problem`` why it has none.

    ``kind`` is the kind of failure, such as ``schema-miss``; ``model`` the name that the endpoint gave.
    """

    fields: Mapping[str, object] = dataclasses.field(default_factory=dict)
    kind: str = ""
    problem: str = ""
    model: str = ""


class ReplySink(Sink):
    """Collects the replies by sample key; every run gets all of them, from the journal."""

    resumable = False

    def __init__(self) -> None:
        self.replies: dict[str, JudgeReply] = {}

    def open(self, mark: JSON | None) -> None:  # noqa: ARG002 - it holds nothing that could continue
        self.replies.clear()

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            model = outcome.source.reply.model if outcome.source is not None else ""
            self.replies[sample.key] = JudgeReply(fields=outcome.fields or {}, model=model)
        elif isinstance(outcome, Failure):
            self.replies[sample.key] = JudgeReply(kind=outcome.kind, problem=outcome.message)
        else:
            self.replies[sample.key] = JudgeReply(kind="skipped", problem=outcome.reason)

    def commit(self) -> JSON:
        return {}

    def finish(self) -> None:
        return

    def close(self) -> None:
        return

    @property
    def outputs(self) -> list[Path | str]:
        return []


def played_games(games: Schedule, replies: Mapping[str, JudgeReply]) -> list[PlayedGame]:
    """The games with the verdicts in the replies, and those that needed no reply."""
    played = [PlayedGame(game=game, winner="tie", equal=True) for game in games.equal]
    for game in games.games:
        reply = replies.get(game.key, JudgeReply(kind="not played", problem="the run was stopped before it"))
        if reply.kind:
            played.append(PlayedGame(game=game, kind=reply.kind, problem=reply.problem))
            continue
        winner: Winner = reply.fields["verdict"]  # type: ignore[assignment]  # by the prompt's schema
        reason = str(reply.fields["reason"])
        played.append(PlayedGame(game=game, winner=winner, reason=reason, model=reply.model))
    return played
