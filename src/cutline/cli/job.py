"""``cutline job``: an enrichment job in a container."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal  # noqa: F401 - types of inherited fields are looked up here

from cyclopts import Parameter

from cutline.captioners.plugins import load_plugins
from cutline.captioners.spec import Spec
from cutline.cli.caption import JobGroups, option_group, without
from cutline.cli.common_options import ServiceKey, Verbosity
from cutline.cli.execute import execute
from cutline.cli.job_container import Container
from cutline.cli.job_environment import with_variables
from cutline.cli.job_settings import JobSettings, fill_in, gives_folder
from cutline.cli.job_state import beside_captions
from cutline.cli.summary import examples
from cutline.credentials import without_credentials
from cutline.engine import assembly, job_output
from cutline.engine.report import Interrupted, Report
from cutline.errors import ConfigError, CutlineError
from cutline.formatting import most_common, printable
from cutline.interfaces import Source
from cutline.job import Job
from cutline.options import ModelOptions
from cutline.sources.selection import HostShare, UniqueUrls
from cutline.storage import is_remote, local_path

_OWN = (
    *("model", "prompt", "max_side", "max_concurrent_requests"),
    *("output_format", "samples_per_shard", "max_shards"),
)
"""The options of a run that are set by the job's own settings."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobModel(ModelOptions):
    """As for a run, but the model is MODEL_NAME."""

    model: Annotated[str, Parameter(parse=False)] = ModelOptions().model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentGroups(JobGroups):
    """Those of a run, without the option ``model``: ``_OWN`` hides the others, but a group has its name."""

    model: Annotated[JobModel, option_group("Model")] = field(default_factory=JobModel)


def job(
    *,
    settings: Annotated[JobSettings, Parameter(name="*")] = JobSettings(),  # noqa: B008 - frozen
    verbosity: Annotated[Verbosity, Parameter(name="*")] = Verbosity(),  # noqa: B008 - frozen
    groups: Annotated[EnrichmentGroups, Parameter(name="*", parse=without(*_OWN[1:]))] = EnrichmentGroups(),
    service: Annotated[ServiceKey, option_group("Model")] = ServiceKey(),  # noqa: B008 - frozen
) -> int:
    """Caption a folder or a table of URLs into a Parquet file, set up by environment variables or arguments.

    Made for containers. Run the same job again to continue, however the last run ended.
    """
    container = Container.here()
    container.begin()
    verbosity.check()
    try:
        whole, source = _prepare(groups.job(""), settings, container)
        failures = None
        if gives_folder(settings):
            whole, failures = beside_captions(whole, job_output.output_of(whole))
        with _folder_made(whole):
            return execute(
                whole,
                key=service.key,
                verbosity=verbosity,
                source=source,
                failures=failures,
                headline="" if verbosity.quiet else _headline(whole),
                ended=lambda result: _report(container, result),
            )
    except CutlineError as error:  # reported where it becomes the exit code
        error.args = (with_variables(str(error), _options()),)
        raise
    except Exception as error:
        container.report(f"{type(error).__name__}: {error}", failed=True)
        raise


def _options() -> set[str]:
    """The options that a job shares with a run; each is also an environment variable."""
    groups = EnrichmentGroups()
    own = [getattr(groups, group.name) for group in dataclasses.fields(groups)]
    fields = (field for options in own for field in dataclasses.fields(options))
    return {f"--{field.name.replace('_', '-')}" for field in fields if field.name not in _OWN}


def _prepare(given: Job, settings: JobSettings, container: Container) -> tuple[Job, Source]:
    """The complete job and its source."""
    whole = fill_in(given, settings, container)
    load_plugins(whole.model.plugin)
    try:
        Spec.parse(whole.model.model, endpoint=whole.model.endpoint)
    except ConfigError as error:
        raise ConfigError(f"MODEL_NAME: {error}") from None
    source = assembly.source_of(whole)
    if whole.input.url_column is not None:
        source = UniqueUrls(source)
    hosts = container.hosts()
    if hosts.count > 1 and whole.input.shard is not None:
        raise ConfigError("these hosts share the pictures already: remove --shard")
    if hosts.count > 1 and not container.is_divided(whole.input_path):
        source = HostShare(source, number=hosts.number, count=hosts.count)
    return whole, source


@contextlib.contextmanager
def _folder_made(whole: Job) -> Iterator[None]:
    """Create the output's folder; remove it again if the job is refused."""
    output = job_output.output_of(whole)
    folder = None if is_remote(output) else Path(local_path(output)).parent
    if folder is None or folder.is_dir():
        yield
        return
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"OUTPUT_PATH: cannot make the folder {folder}: {error.strerror}") from None
    try:
        yield
    except ConfigError:
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()
        raise


def _headline(whole: Job) -> str:
    """The job in one line, so that a wrong setting is noticed at once."""
    model, prompts = whole.model, whole.prompts.prompt
    chained = model.chain or " | ".join(model.step)
    prompt = f" and the prompt of {prompts[0]}" if prompts else "" if chained else " and the default prompt"
    data, output = (
        without_credentials(place) if is_remote(place) else place
        for place in (whole.input_path, job_output.output_of(whole))
    )
    captioner = f"the chain {chained}" if chained else model.model
    return printable(f"captioning {data} with {captioner}{prompt}, into {output}")


def _report(container: Container, result: Report | CutlineError) -> None:
    """Leave a line about the job's result."""
    if isinstance(result, CutlineError):
        container.report(str(result), failed=True)
        return
    counts = result.counts
    message = f"{counts.captions:,} captions, {counts.failures:,} failed"
    if result.stopped is not None:
        why = "interrupted" if isinstance(result.stopped, Interrupted) else str(result.stopped)
        message = f"{why}; {message} so far; run the same job again to continue"
    elif counts.kinds:
        message += f" ({most_common(counts.kinds)})"
        message += "".join(f"; {example}" for example in itertools.islice(examples(result), 1))
    container.report(f"{message}: {result.output}", failed=bool(result.exit_code))
