"""``cutline propose`` and ``cutline proposals``: captions by models, decided about one by one or together."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from cutline.cli.dataset_options import (
    DEFAULTS,
    DatasetOptions,
    Input,
    Query,
    edit_progress,
    exit_code,
    outcome,
)
from cutline.cli.differences import difference_lines
from cutline.cli.edit import find_rows
from cutline.cli.preview import print_estimate
from cutline.dataset.dataset import Dataset
from cutline.errors import ConfigError
from cutline.formatting import plural, printable
from cutline.job import Job
from cutline.options import Existing
from cutline.studio.generation.choice import Choice, Policy, choice_of
from cutline.studio.generation.generation import GenerationResult
from cutline.studio.generation.generations import Order, estimate_order, generate
from cutline.studio.generation.selection import Selected, select
from cutline.studio.settings import StudioSettings
from cutline.terminal import Console, print_line

_POLICIES: Final[dict[Existing, Policy]] = {
    "skip": "missing",
    "append": "append",
    "prepend": "prepend",
    "overwrite": "overwrite",
}
_STOPPED: Final = 3  # exit code


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Captioner:
    """The model or chain, as in the studio; its key comes from the environment."""

    model: Annotated[str | None, Parameter(alias="-m")] = None
    """`provider:name`, such as `openai:gpt-4o-mini`; `cutline models` lists the providers."""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server."""
    chain: Path | None = None
    """Chain file, instead of a model."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    prompt: Annotated[str | None, Parameter(alias="-p")] = None
    """A text, in which `{text}` is the current caption, or the name of a library prompt."""
    system_prompt: str | None = None
    """System message, sent before every prompt."""
    language: str | None = None
    """Language of the captions, such as `German`."""
    trigger: str | None = None
    """Trigger word that begins every caption, followed by a comma."""
    caption_prefix: str | None = None
    """Text put before every caption, unchanged."""
    caption_suffix: str | None = None
    """Text put after every caption, unchanged."""
    parameters: str | None = None
    """Such as `max_tokens=512, temperature=0.30`."""
    max_concurrent_requests: int | None = None
    """Maximum number of concurrent requests. [default: measured while running]"""

    def choice(self) -> Choice:
        """Raises ConfigError: options contradict each other, or a value is invalid."""
        if self.chain is not None and (self.model is not None or self.prompt is not None):
            raise ConfigError("a chain names its models and prompts: remove --model and --prompt, or --chain")
        if self.model is None and self.chain is None:
            raise ConfigError("name a model, such as -m openai:gpt-4o-mini; `cutline models` lists them")
        if self.prompt is not None and _is_file(self.prompt):
            file = printable(self.prompt)
            raise ConfigError(f'{file} is a file: pass its text, as -p "$(cat {file})"')
        return choice_of(
            model=self.model,
            endpoint=self.endpoint,
            chain=None if self.chain is None else self.chain.stem,
            prompt=self.prompt,
            system_prompt=self.system_prompt,
            language=self.language,
            trigger=self.trigger,
            caption_prefix=self.caption_prefix,
            caption_suffix=self.caption_suffix,
            parameters=self.parameters,
            requests=self.max_concurrent_requests,
        )

    def settings(self) -> StudioSettings:
        settings = StudioSettings(
            chain=() if self.chain is None else (self.chain,),
            plugin=self.plugin,
        )
        settings.check()
        return settings


def propose(
    folder: Input,
    /,
    *,
    captioner: Annotated[Captioner, Parameter(name="*")] = Captioner(),
    where: Annotated[Query, Parameter(help="Only the pictures that match, as in `cutline find`.")] = "",
    existing: Annotated[
        Existing,
        Parameter(
            help="skip captions only pictures without caption and proposal; append and prepend join the new "
            "text with the old one; overwrite keeps captions by people or of unknown origin."
        ),
    ] = "skip",
    by_person: Annotated[
        bool, Parameter(help="With --existing overwrite: include captions by people.")
    ] = False,
    write: Annotated[bool, Parameter(help="Write the captions at once, as one edit.")] = False,
    dry_run: Annotated[bool, Parameter(help="Print how many pictures would be captioned, and stop.")] = False,
    estimate: Annotated[
        bool,
        Parameter(help="Caption a few of the pictures, print time, tokens and cost of all, and stop."),
    ] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Propose captions by a model. Run the same command again to continue an interrupted one."""
    choice, settings = captioner.choice(), captioner.settings()
    if by_person and existing != "overwrite":
        raise ConfigError("--by-person goes with --existing overwrite: add it, or remove --by-person")
    if estimate and (dry_run or write):
        other = "--dry-run" if dry_run else "--write"
        raise ConfigError(f"--estimate writes nothing: remove it, or {other}")
    with dataset.open(folder) as opened:
        rows = find_rows(opened, where)
        selected = select(opened, rows.tolist(), _POLICIES[existing], replaces_person=by_person)
        if dry_run or not selected.rows:
            print_line(_scope(selected, choice))
            return 0
        order = Order(choice=choice, rows=selected.rows, policy=_POLICIES[existing], write=write)
        if estimate:
            print_line(_scope(selected, choice))
            print_estimate(Job(input_path=folder), estimate_order(opened, order, settings))
            return 0
        with edit_progress(len(order.rows)) as progress:
            result = generate(opened, order, settings, progress)
        code = _report(result, folder)
        if result.captions > result.proposed and opened.unit == "caption":
            dataset.print_export(folder)
    return code


def proposals(
    folder: Input,
    /,
    *,
    where: Annotated[Query, Parameter(help="Only the pictures that match, as in `cutline find`.")] = "",
    accept: Annotated[bool, Parameter(help="Replace captions by the proposals.")] = False,
    changed: Annotated[
        bool,
        Parameter(help="With --accept: even if the caption was changed after the proposal."),
    ] = False,
    reject: Annotated[bool, Parameter(help="Remove the proposals.")] = False,
    dry_run: Annotated[bool, Parameter(help="Show the proposals, and change nothing.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """List proposed captions beside the current ones; accept or reject them."""
    if accept and reject:
        raise ConfigError("--accept and --reject exclude each other: give one of them")
    if changed and not accept:
        raise ConfigError("--changed goes with --accept: add it, or remove --changed")
    with dataset.open(folder) as opened:
        proposed = set(opened.find("has:proposal").tolist())
        rows = [row for row in find_rows(opened, where).tolist() if row in proposed]
        if not rows:
            print_line(f"there are no proposals{' that match' if proposed else ''}")
            return 0
        if dry_run or not (accept or reject):
            _show(opened, rows)
            what = "accepted" if accept else "rejected" if reject else ""
            print_line(f"{plural(len(rows), 'proposal')}{f' would be {what}' if what else ''}")
            return 0
        if reject:
            result = opened.reject(rows)
        else:
            seen = {row: opened.caption(row) for row in rows} if changed else None
            with edit_progress(len(rows)) as progress:
                result = opened.accept(rows, progress, seen=seen)
        print_line(outcome(result))
        dataset.print_unchanged(folder, [result])
        code = exit_code(result)
    if result.conflicts and accept:
        print_line("`cutline proposals` shows them; --accept --changed accepts them anyway")
    return code


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, a null character
        return False


def _scope(selected: Selected, choice: Choice) -> str:
    parts = [f"{plural(len(selected.rows), 'picture')} would be captioned by {printable(choice.name)}"]
    if selected.captioned:
        parts.append(f"{selected.captioned:,} with a caption or proposal left out")
    if selected.by_person:
        parts.append(f"{selected.by_person:,} with a caption by a person left out, see --by-person")
    if selected.locked:
        parts.append(f"{selected.locked:,} with a text that cannot be edited left out")
    return "; ".join(parts)


def _report(result: GenerationResult, folder: str) -> int:
    written = result.captions - result.proposed
    parts = [f"{plural(written, 'caption')} written"] if written else []
    if result.proposed or not written:
        parts.append(f"{plural(result.proposed, 'caption')} proposed")
    if result.skips:
        parts.append(f"{result.skips:,} skipped")
    if result.failures:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(result.kinds.items()))
        parts.append(f"{result.failures:,} failed ({kinds})")
    if result.cost:
        parts.append(f"${result.cost:.4f}")
    print_line(f"{result.summary}: {', '.join(parts)}")
    name = printable(folder)
    if result.stopped:
        why = "" if result.stopped == "stopped" else f" ({result.stopped})"
        print_line(f"stopped before {result.left:,} more{why}: the same command continues")
        return 130 if not why else _STOPPED
    if result.proposed:
        print_line(f"`cutline proposals {name}` shows them, --accept makes them captions")
    if result.failures:
        print_line(f"`cutline find {name} status:failed` lists the pictures that failed")
    return 1 if result.failures else 0


def _show(dataset: Dataset, rows: list[int]) -> None:
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for row in rows:
        key = dataset.entries[row].key
        proposal, caption = dataset.proposals.of(key), dataset.caption(row)
        if proposal is None:
            continue
        heading = Text(key, style="bold")
        if proposal.model:
            heading.append(f"  by {proposal.model}", style="not bold dim")
        if caption != proposal.before:
            heading.append("  the caption was changed since", style="not bold yellow")
        console.print(heading)
        for line in difference_lines(caption, proposal.caption):
            console.print(line)
