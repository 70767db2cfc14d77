"""Captions image datasets with any vision-language model, losing nothing."""

from __future__ import annotations

import sys as _sys

# The program, not a library: until ``cli`` has its handler, Ctrl-C ends it without a traceback. Nothing
# may be imported before, and `_signal` is part of the interpreter.
if "".join(_sys.argv[:1]).replace("\\", "/").rpartition("/")[2] in {"-m", "cutline", "cutline.exe"}:
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors read; `_NAMES` has the same for the interpreter
    # isort: off
    from cutline.api import acaption as acaption, caption as caption
    from cutline.batches import (
        batch_cancel as batch_cancel,
        batch_collect as batch_collect,
        batch_status as batch_status,
        batch_submit as batch_submit,
    )
    from cutline.call_options import CallOptions as CallOptions, LoadOptions as LoadOptions
    from cutline.captioners.plugins.models import register_model as register_model
    from cutline.captioners.servers.settings import ServerOptions as ServerOptions
    from cutline.captions import Captions as Captions
    from cutline.client import (
        AsyncClient as AsyncClient,
        Client as Client,
    )
    from cutline.client.records import (
        Image as Image,
        ServerPath as ServerPath,
        TaskProgress as TaskProgress,
    )
    from cutline.comparison.call import compare as compare
    from cutline.comparison.results import (
        Comparison as Comparison,
        CandidateResult as CandidateResult,
        ComparedPicture as ComparedPicture,
    )
    from cutline.comparison.statistics import Figures as Figures
    from cutline.dataset.dataset import Dataset as Dataset
    from cutline.dataset.edits import (
        Edit as Edit,
        Prefix as Prefix,
        RemoveOpeners as RemoveOpeners,
        Replace as Replace,
        SentenceCase as SentenceCase,
        Several as Several,
        Suffix as Suffix,
        Trigger as Trigger,
        Trim as Trim,
    )
    from cutline.dataset.embeddings import EmbedResult as EmbedResult, Embeddings as Embeddings
    from cutline.dataset.export.records import ExportResult as ExportResult
    from cutline.dataset.opener import open_dataset as open_dataset
    from cutline.dataset.picks import Standing as Standing
    from cutline.dataset.picks import Tally as Tally
    from cutline.dataset.preview import Preview as Preview
    from cutline.dataset.proposals import Proposal as Proposal
    from cutline.dataset.query import QueryError as QueryError
    from cutline.dataset.records import (
        CaptionVersion as CaptionVersion,
        EditInfo as EditInfo,
        EditRecord as EditRecord,
        EditResult as EditResult,
    )
    from cutline.dataset.set_comparison import SetComparison as SetComparison
    from cutline.dataset.tag_edits import (
        AddTag as AddTag,
        DedupeTags as DedupeTags,
        RemoveTag as RemoveTag,
        RenameTag as RenameTag,
        SortTags as SortTags,
    )
    from cutline.engine.batch_manifest import Batch as Batch
    from cutline.engine.batches.collect import Collection as Collection
    from cutline.engine.batches.status import BatchStatus as BatchStatus
    from cutline.engine.batches.submit import Submission as Submission
    from cutline.engine.batches.upload import UploadStats as UploadStats
    from cutline.engine.failure_stats import Cause as Cause
    from cutline.engine.progress import Progress as Progress, ProgressHook as ProgressHook
    from cutline.engine.recorded_captions import Answer as Answer
    from cutline.engine.report import Interrupted as Interrupted, Report as Report
    from cutline.engine.run import run_job as run_job
    from cutline.engine.stats import Counts as Counts
    from cutline.errors import (
        BudgetSpent as BudgetSpent,
        ConfigError as ConfigError,
        CutlineError as CutlineError,
        EndpointUnusable as EndpointUnusable,
        JobChanged as JobChanged,
        ManyFailed as ManyFailed,
        MissingExtra as MissingExtra,
        OutputExists as OutputExists,
        OutputGone as OutputGone,
        OutputKept as OutputKept,
        OutputLocked as OutputLocked,
        PictureError as PictureError,
        Rejected as Rejected,
        ReplyError as ReplyError,
        RequestError as RequestError,
        Retryable as Retryable,
        RunStopped as RunStopped,
        SampleError as SampleError,
        SinkError as SinkError,
        SourceError as SourceError,
    )
    from cutline.evaluation.call import evaluate as evaluate
    from cutline.evaluation.results import (
        Evaluation as Evaluation,
        EvaluationProblem as EvaluationProblem,
        MetricScore as MetricScore,
        PictureScores as PictureScores,
    )
    from cutline.imaging import Limits as Limits, Picture as Picture
    from cutline.imaging.decoded import DecodedPicture as DecodedPicture
    from cutline.imaging.thumbnails import Thumbnail as Thumbnail
    from cutline.interfaces import (
        Captioner as Captioner,
        Check as Check,
        CheckResult as CheckResult,
        Draft as Draft,
        Filter as Filter,
        Measure as Measure,
        MeasureOptions as MeasureOptions,
        Profile as Profile,
        Rejection as Rejection,
        Sink as Sink,
        Source as Source,
        Stage as Stage,
        Violation as Violation,
    )
    from cutline.interfaces.stage import Action as Action
    from cutline.job import Job as Job
    from cutline.judgment.bradley_terry import Interval as Interval
    from cutline.judgment.call import judge as judge
    from cutline.judgment.games import Game as Game
    from cutline.judgment.judgment import Judgment as Judgment
    from cutline.judgment.people import Agreement as Agreement, People as People
    from cutline.judgment.results import (
        PairResult as PairResult,
        PlayedGame as PlayedGame,
        RankedContestant as RankedContestant,
        Ranking as Ranking,
    )
    from cutline.judgment.rubric import (
        RatedContestant as RatedContestant,
        Rating as Rating,
        Rubric as Rubric,
    )
    from cutline.loaded_model import (
        LoadedModel as LoadedModel,
        PictureInput as PictureInput,
        aload as aload,
        load as load,
    )
    from cutline.locations.stored import (
        InlineBytes as InlineBytes,
        LocalFile as LocalFile,
        RemoteFile as RemoteFile,
    )
    from cutline.metrics.intervals import PairedTest as PairedTest
    from cutline.options import (
        CheckOptions as CheckOptions,
        FilterOptions as FilterOptions,
        InputOptions as InputOptions,
        LocalOptions as LocalOptions,
        ModelOptions as ModelOptions,
        OutputOptions as OutputOptions,
        PictureOptions as PictureOptions,
        PromptOptions as PromptOptions,
        RunOptions as RunOptions,
    )
    from cutline.parameters import Parameter as Parameter
    from cutline.prompts import Prompt as Prompt, load_prompt as load_prompt
    from cutline.records import (
        JSON as JSON,
        Caption as Caption,
        Failure as Failure,
        Location as Location,
        Outcome as Outcome,
        Problem as Problem,
        Reply as Reply,
        Sample as Sample,
        Skip as Skip,
        Step as Step,
        Usage as Usage,
    )
    from cutline.results import CaptionOptions as CaptionOptions, CaptionResult as CaptionResult
    from cutline.sinks import SinkOptions as SinkOptions
    from cutline.sources import SourceOptions as SourceOptions
    from cutline.stages import register_stage as register_stage
    # isort: on

from cutline.version import __version__ as __version__

_NAMES = {
    "cutline.api": "acaption caption",
    "cutline.batches": "batch_cancel batch_collect batch_status batch_submit",
    "cutline.call_options": "CallOptions LoadOptions",
    "cutline.captioners.plugins.models": "register_model",
    "cutline.captioners.servers.settings": "ServerOptions",
    "cutline.captions": "Captions",
    "cutline.client": "AsyncClient Client",
    "cutline.client.records": "Image ServerPath TaskProgress",
    "cutline.comparison.call": "compare",
    "cutline.comparison.results": "Comparison CandidateResult ComparedPicture",
    "cutline.comparison.statistics": "Figures",
    "cutline.dataset.dataset": "Dataset",
    "cutline.dataset.edits": "Edit Prefix RemoveOpeners Replace SentenceCase Several Suffix Trigger Trim",
    "cutline.dataset.embeddings": "EmbedResult Embeddings",
    "cutline.dataset.export.records": "ExportResult",
    "cutline.dataset.opener": "open_dataset",
    "cutline.dataset.picks": "Standing Tally",
    "cutline.dataset.preview": "Preview",
    "cutline.dataset.proposals": "Proposal",
    "cutline.dataset.query": "QueryError",
    "cutline.dataset.records": "CaptionVersion EditInfo EditRecord EditResult",
    "cutline.dataset.set_comparison": "SetComparison",
    "cutline.dataset.tag_edits": "AddTag DedupeTags RemoveTag RenameTag SortTags",
    "cutline.engine.batch_manifest": "Batch",
    "cutline.engine.batches.collect": "Collection",
    "cutline.engine.batches.status": "BatchStatus",
    "cutline.engine.batches.submit": "Submission",
    "cutline.engine.batches.upload": "UploadStats",
    "cutline.engine.failure_stats": "Cause",
    "cutline.engine.progress": "Progress ProgressHook",
    "cutline.engine.recorded_captions": "Answer",
    "cutline.engine.report": "Interrupted Report",
    "cutline.engine.run": "run_job",
    "cutline.engine.stats": "Counts",
    "cutline.errors": (
        "BudgetSpent ConfigError CutlineError EndpointUnusable JobChanged ManyFailed MissingExtra "
        "OutputExists OutputGone OutputKept OutputLocked PictureError Rejected ReplyError RequestError "
        "Retryable RunStopped SampleError SinkError SourceError"
    ),
    "cutline.evaluation.call": "evaluate",
    "cutline.evaluation.results": "Evaluation EvaluationProblem MetricScore PictureScores",
    "cutline.imaging": "Limits Picture",
    "cutline.imaging.decoded": "DecodedPicture",
    "cutline.imaging.thumbnails": "Thumbnail",
    "cutline.interfaces": (
        "Captioner Check CheckResult Draft Filter Measure MeasureOptions Profile Rejection Sink Source Stage "
        "Violation"
    ),
    "cutline.interfaces.stage": "Action",
    "cutline.job": "Job",
    "cutline.judgment.bradley_terry": "Interval",
    "cutline.judgment.call": "judge",
    "cutline.judgment.games": "Game",
    "cutline.judgment.judgment": "Judgment",
    "cutline.judgment.people": "Agreement People",
    "cutline.judgment.results": "PairResult PlayedGame RankedContestant Ranking",
    "cutline.judgment.rubric": "RatedContestant Rating Rubric",
    "cutline.loaded_model": "LoadedModel PictureInput aload load",
    "cutline.locations.stored": "InlineBytes LocalFile RemoteFile",
    "cutline.metrics.intervals": "PairedTest",
    "cutline.options": (
        "CheckOptions FilterOptions InputOptions LocalOptions ModelOptions OutputOptions PictureOptions "
        "PromptOptions RunOptions"
    ),
    "cutline.parameters": "Parameter",
    "cutline.prompts": "Prompt load_prompt",
    "cutline.records": ("JSON Caption Failure Location Outcome Problem Reply Sample Skip Step Usage"),
    "cutline.results": "CaptionOptions CaptionResult",
    "cutline.sinks": "SinkOptions",
    "cutline.sources": "SourceOptions",
    "cutline.stages": "register_stage",
}
"""The public names by the module that defines them."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import cutline`` costs nothing."""
    if name not in _MODULES:
        raise AttributeError(f"module 'cutline' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
