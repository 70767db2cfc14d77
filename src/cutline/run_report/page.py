"""The page of a run: one offline HTML file without scripts."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cutline.formatting import duration, money, number, plural, short_number
from cutline.imaging.thumbnails import Thumbnail
from cutline.records import JSON
from cutline.run_report.measures import Distribution
from cutline.run_report.recorded_run import Group, RecordedRun, Shown
from cutline.run_report.report_values import count, counts, mapping, positive, text, texts
from cutline.web.histogram import histogram
from cutline.web.html import render, style

_WARNINGS: Final = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A picture with its caption; ``label`` is its value of a measure."""

    key: str
    text: str
    detail: str = ""
    label: str = ""
    thumbnail: Thumbnail | None = None


def as_html(run: RecordedRun, thumbnails: Mapping[str, Thumbnail], *, made: dt.datetime) -> str:
    """The whole page."""
    cards = _Cards(thumbnails)
    report = run.report
    return render(
        "run_report.html",
        title=f"Run of {text(report.get('model')) or text(run.settings.get('model')) or 'a captioner'}",
        style=style("report.css", "run_report.css"),
        output=run.output,
        input=text(run.settings.get("input")),
        made=made,
        state=_state(run),
        facts=_facts(run),
        measures=[_measure(each, cards) for each in run.distributions.values() if not each.is_constant],
        constants=[
            (each.name, number(each.smallest)) for each in run.distributions.values() if each.is_constant
        ],
        more_measures=len(run.left_out_measures),
        failures=[_group(group, cards, run.failures_file) for group in _by_count(run.failures.values())],
        noted=[_group(group, cards) for group in _by_count(run.noted.values())],
        skips=[
            _group(group, cards, str(run.rejected_file) if run.rejected_file.is_file() else "")
            for group in _by_count(run.skips.values())
        ],
        stages=_stages(report),
        costs=_costs(run),
        speed=_speed(report),
        samples=[cards.of(shown) for shown in run.samples],
        captions=run.counts.captions,
        prompts=_prompts(report),
        warnings=_warnings(run),
    )


class _Cards:
    """Cards of pictures, each with its thumbnail."""

    def __init__(self, thumbnails: Mapping[str, Thumbnail]) -> None:
        self._thumbnails = thumbnails

    def of(self, shown: Shown, label: str = "") -> Card:
        return Card(
            key=shown.key,
            text=shown.text,
            detail=shown.detail,
            label=label,
            thumbnail=self._thumbnails.get(shown.key),
        )


def _by_count(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -group.count)


def _group(group: Group, cards: _Cards, file: str = "") -> JSON:
    """The pictures of a group that can be shown, and lines about the others; ``file`` lists all of them.

    Causes are omitted if each picture shows its own.
    """
    shared = any(cause.count > 1 for cause in group.commonest) or group.count > len(group.pictures)
    found = [cards.of(shown) for shown in group.pictures]
    return {
        "name": group.name,
        "count": group.count,
        "causes": group.commonest if shared else [],
        "file": file,
        "cards": [card for card in found if card.thumbnail is not None],
        "lines": [card for card in found if card.thumbnail is None],
        "left": group.count - len(group.pictures),
    }


def _measure(each: Distribution, cards: _Cards) -> JSON:
    """One measure with its histogram, and the pictures at its ends."""
    return {
        "name": each.name,
        "id": "".join(letter if letter.isalnum() else "-" for letter in each.name),
        "count": each.count,
        "figures": [
            (name, number(value))
            for name, value in (
                ("smallest", each.smallest),
                ("5 %", each.percentile(0.05)),
                ("median", each.percentile(0.5)),
                ("mean", each.mean),
                ("95 %", each.percentile(0.95)),
                ("largest", each.largest),
            )
        ],
        "bars": histogram(each.sample),
        "ends": [
            (title, [cards.of(shown, number(value)) for value, shown in found])
            for title, found in (("Smallest", each.lowest), ("Largest", each.highest))
        ],
    }


def _state(run: RecordedRun) -> tuple[str, str]:
    """Whether the run is complete, or why not."""
    if not run.report:
        return "bad", "This run has not ended: the figures are those of its journal so far."
    if stopped := text(run.report.get("stopped")):
        return "bad", f"This run was stopped: {stopped}"
    return "", ""


def _facts(run: RecordedRun) -> list[tuple[str, str]]:
    report = run.report
    facts = []
    for name, title in (("captions", "captions"), ("skips", "skipped"), ("failures", "failed")):
        reported = count(report.get(name))
        facts.append((title, f"{getattr(run.counts, name) if reported is None else reported:,}"))
    totals = mapping(report.get("all_runs"))
    if seconds := positive(totals.get("wall_seconds")):
        facts.append(("time", duration(seconds)))
    if rate := positive(totals.get("pictures_per_second")):
        facts.append(("pictures per second", number(round(rate, 2))))
    tokens = sum(usage.total for usage in run.spent.values())
    if tokens:
        facts.append(("tokens", short_number(tokens)))
    if (cost := _cost(report)) is not None:
        facts.append(("cost", money(cost)))
    return facts


def _cost(report: JSON) -> float | None:
    """US dollars; None where no price is known."""
    cost = report.get("cost_usd")
    return 0.0 if cost == 0 and not isinstance(cost, bool) else positive(cost) or None


def _costs(run: RecordedRun) -> list[tuple[str, str]]:
    """Tokens by model, and what they cost."""
    rows = [
        (model, f"{usage.prompt_tokens:,} sent, {usage.completion_tokens:,} received")
        for model, usage in sorted(run.spent.items(), key=lambda item: -item[1].total)
    ]
    outcomes = run.counts.captions + run.counts.failures
    tokens = sum(usage.total for usage in run.spent.values())
    if tokens and outcomes:
        rows.append(("tokens for a picture", f"{tokens / outcomes:,.0f}"))
    cost = _cost(run.report)
    if cost is not None:
        rows.append(("cost", money(cost)))
        if outcomes and cost:
            rows.append(("cost of 1,000 pictures", money(1000 * cost / outcomes)))
    elif tokens:
        rows.append(("cost", "no price is known for a model; --prices FILE gives one"))
    return rows


def _speed(report: JSON) -> list[tuple[str, str]]:
    totals = mapping(report.get("all_runs"))
    rows = []
    if runs := count(totals.get("runs")):
        rows.append(("runs", f"{runs:,}"))
    if start := text(report.get("start")):
        rows.append(("began", _moment(text(totals.get("start")) or start)))
        rows.append(("ended", _moment(text(report.get("end")))))
    latencies = mapping(totals.get("latency_seconds"))
    shares = [
        f"{name} {number(value)} s"
        for name in ("p50", "p90", "p99")
        if (value := positive(latencies.get(name)))
    ]
    if shares:
        rows.append(("latency of a request", ", ".join(shares)))
    refused = mapping(report.get("this_run")).get("refused")
    for title, by_cause in (("requests sent again", totals.get("retries")), ("refused", refused)):
        if found := counts(by_cause):
            rows.append((title, ", ".join(f"{cause}: {each:,}" for cause, each in found.items())))
    return rows


def _stages(report: JSON) -> list[tuple[str, str]]:
    """The counts of filters and checks."""
    return [
        (name, ", ".join(f"{what} {each:,}" for what, each in found.items() if not _is_of_captions(what)))
        for name, stage in mapping(report.get("stages")).items()
        if (found := counts(stage))
    ]


def _is_of_captions(what: str) -> bool:
    return what.endswith(" captions")  # of the items of a list, which are counted beside them


def _prompts(report: JSON) -> list[tuple[str, str]]:
    prompts = mapping(report.get("prompt_texts"))
    return [(name, "\n\n".join(_lines(mapping(prompt)))) for name, prompt in prompts.items()]


def _lines(prompt: Mapping[str, Any]) -> list[str]:
    """The text of a prompt, its system message first."""
    return texts([prompt.get("system"), *texts(prompt.get("user"))])


def _warnings(run: RecordedRun) -> list[str]:
    left = [
        f"left out {plural(count(each.get('count')) or 0, 'picture')} ({kind}): {text(each.get('cure'))}"
        for kind, each in mapping(run.report.get("left_over")).items()
        if isinstance(each, Mapping)
    ]
    lines = [*left, *texts(run.report.get("warnings"))][:_WARNINGS]
    total = sum(count(run.report.get(name)) or 0 for name in ("captions", "failures"))
    more = run.counts.captions + run.counts.failures - total
    if run.report and more > 0:
        lines.append(
            f"the journal has {plural(more, 'more outcome')}, of pictures that are not in the output"
        )
    if run.report and more < 0:
        lines.append(f"the journal lacks {plural(-more, 'outcome')} of the run: it was cut or damaged")
    if run.damaged:
        lines.append(f"{plural(run.damaged, 'line')} of the journal cannot be read")
    return lines


def _moment(moment: str) -> str:
    try:
        return f"{dt.datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S %Z}"
    except ValueError:
        return moment
