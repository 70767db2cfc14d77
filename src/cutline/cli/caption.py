"""``cutline caption``: build a job from options and run it.

Annotations are not strings here: those of `JobGroups` are looked up in the modules of its subclasses.
"""

import dataclasses
import json
import re
import shlex
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal  # noqa: F401 - types of inherited fields are looked up here

from cyclopts import Group, Parameter

from cutline.captioners.servers.settings import ServerOptions
from cutline.cli.common_options import ActionOptions, ServiceKey
from cutline.cli.help import GROUPS
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.job_paths import IN_PLACE
from cutline.options import (
    CheckOptions,
    ClusterOptions,
    FilterOptions,
    InputOptions,
    LocalOptions,
    ModelOptions,
    OutputOptions,
    PictureOptions,
    PromptOptions,
    RunOptions,
    SamplePictures,  # noqa: F401 - the type of an inherited field
)
from cutline.terminal import print_line

NGC_MODEL = "nvidia/llama-3.1-nemotron-nano-vl-8b-v1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service(ServiceKey):
    """The key, and older names of the options for a service."""

    model_name: str | None = None
    """Name of the model at a NIM endpoint, or NVIDIA's with --use-ngc."""
    use_ngc: bool = False
    """Use NVIDIA's hosted models (NVIDIA_API_KEY)."""
    nim_endpoint: str | None = None
    """URL of a NIM endpoint; not used with --use-ngc."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionActions(ActionOptions):
    save_job: str | None = None
    """Write these options to a job file for `cutline run`, and stop."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartedServer(ServerOptions):
    """As in a job; the server's own options may begin with a hyphen."""

    server_args: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Further options for the server that is started, in one text: "--max-model-len 4096"."""


def without(*names: str) -> re.Pattern[str]:
    """What ``Parameter.parse`` takes to hide the fields and groups of these names."""
    return re.compile(rf"^(?!({'|'.join(names)})$)")


def option_group(name: str, *, negative: str | tuple[()] = ()) -> Parameter:
    group = Group(name, sort_key=GROUPS.index(name) + 1)
    return Parameter(name="*", group=group, negative_bool=negative)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MainModel(ModelOptions):
    """As in a job, with a short name."""

    model: Annotated[str, Parameter(alias="-m")] = ModelOptions().model
    """`provider:name`, such as `openai:gpt-4o-mini`; `cutline models` lists the providers."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableInput(InputOptions):
    """As in a job, with a short name."""

    header_row: Annotated[bool, Parameter(negative="--no-header")] = True
    """Whether the first line of a text table names its columns."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MainPrompts(PromptOptions):
    """As in a job, with a short name."""

    prompt: Annotated[tuple[str, ...], Parameter(alias="-p")] = ()
    """A text, the name of a library prompt, or a JSON template; `name=…` several times sends each."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobGroups:
    """All options of a job, each group under its heading in the help."""

    model: Annotated[ModelOptions, option_group("Model")] = field(default_factory=ModelOptions)
    local: Annotated[LocalOptions, option_group("Local models")] = field(default_factory=LocalOptions)
    server: Annotated[StartedServer, option_group("Local servers")] = field(default_factory=StartedServer)
    prompts: Annotated[MainPrompts, option_group("Prompt")] = field(default_factory=MainPrompts)
    checks: Annotated[CheckOptions, option_group("Checks")] = field(default_factory=CheckOptions)
    filters: Annotated[FilterOptions, option_group("Filters")] = field(default_factory=FilterOptions)
    input: Annotated[TableInput, option_group("Input", negative="no-")] = field(default_factory=TableInput)
    pictures: Annotated[PictureOptions, option_group("Pictures")] = field(default_factory=PictureOptions)
    output: Annotated[OutputOptions, option_group("Output", negative="no-")] = field(
        default_factory=OutputOptions
    )
    run: Annotated[RunOptions, option_group("Run", negative="no-")] = field(default_factory=RunOptions)
    cluster: Annotated[ClusterOptions, option_group("Cluster")] = field(default_factory=ClusterOptions)

    def job(self, input_path: str, output_path: str | None = None) -> Job:
        groups = {group.name: _plain(getattr(self, group.name)) for group in dataclasses.fields(self)}
        groups["model"] = typed(groups["model"])
        return Job(input_path=input_path, output_path=output_path, **groups)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionGroups(JobGroups):
    """With the model under its short name."""

    model: Annotated[MainModel, option_group("Model")] = field(default_factory=MainModel)


def _plain(options: Any) -> Any:
    """The job's own options, of those of the command line."""
    own = next((cls for cls in type(options).__mro__ if cls.__module__ == ModelOptions.__module__), None)
    if own is None or own is type(options):
        return options
    return own(**{given.name: getattr(options, given.name) for given in dataclasses.fields(own)})


def caption(
    input_path: str,
    output_path: Annotated[str | None, Parameter(alias="-o")] = None,
    *,
    actions: Annotated[CaptionActions, option_group("Before and during")] = CaptionActions(),
    groups: Annotated[CaptionGroups, Parameter(name="*")] = CaptionGroups(),
    service: Annotated[Service, option_group("Model")] = Service(),
) -> int:
    """Caption a folder of pictures, a list of URLs, webdataset tars or a table.

    Run the same command again to continue, however the last run ended.

    Parameters
    ----------
    input_path
        File or folder of pictures, `.txt` list of URLs, table (`.csv`, `.parquet`, `.jsonl` …) or tars.
    output_path
        `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet` file, or a folder. Default: `captions.jsonl`, or
        with the ending of `--output-format`; the folder `captions` for shards.
    """
    job = with_service(groups.job(input_path, output_path), service)
    actions.check(save_job=actions.save_job)
    if actions.save_job is not None:
        _save(job, Path(actions.save_job))
        if not actions.quiet:
            path, key = actions.save_job, service.key
            hint = "" if key is None else "; the key is not stored in it, so pass it again"
            # A name that begins with a hyphen would be read as an option.
            quoted = shlex.quote(path if not path.startswith("-") else f"./{path}")
            print_line(f"→ {path}: run it with `cutline run {quoted}`{hint}")
        return 0
    from cutline.cli.execute import run_action

    return run_action(job, service.key, actions)


def _save(job: Job, path: Path) -> None:
    from cutline.engine import assembly, job_output

    job.check()
    assembly.source_of(job)  # refuses a missing input
    job.model.check_stored("a job file")
    if job.output.output_format not in IN_PLACE:  # the default of a job file is beside it
        job = dataclasses.replace(job, output_path=job_output.output_of(job))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(job.to_toml(path.parent))
    except FileExistsError:
        raise ConfigError(f"{path} exists already; choose another name for --save-job") from None
    except OSError as error:
        raise ConfigError(f"cannot write the job file {path}: {error.strerror}") from None


def with_service(job: Job, service: Service) -> Job:
    """Apply the older options for naming a model; raises ConfigError if it is named in both ways."""
    if not (service.use_ngc or service.nim_endpoint is not None or service.model_name is not None):
        return job
    if job.model.model != ModelOptions().model:
        raise ConfigError(
            "--model cannot be combined with --model-name, --use-ngc and --nim-endpoint: remove them"
        )
    provider, endpoint = "nvidia", job.model.endpoint
    if not service.use_ngc:
        provider = "nim" if endpoint is None or service.nim_endpoint else "endpoint"
        endpoint = service.nim_endpoint or endpoint
    name = f"{provider}:{service.model_name or NGC_MODEL}"
    return dataclasses.replace(job, model=dataclasses.replace(job.model, model=name, endpoint=endpoint))


def typed(model: ModelOptions) -> ModelOptions:
    """Parse values of --extra that are JSON; others stay text."""

    def value(text: Any) -> Any:
        try:
            return json.loads(text) if isinstance(text, str) else text
        except ValueError:
            return text

    return dataclasses.replace(model, extra={name: value(text) for name, text in model.extra.items()})
