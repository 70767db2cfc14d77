"""The options of a job: each field, with its text, is an option of the command line and the other faces."""

from cutline.options.inputs import InputOptions, PictureOptions, SamplePictures
from cutline.options.models import LocalOptions, ModelOptions, PromptOptions
from cutline.options.runs import ClusterOptions, Existing, OnChange, OnMissing, OutputOptions, RunOptions
from cutline.options.selection import CheckOptions, FilterOptions
from cutline.options.strict import StrictOptions

__all__ = [
    "CheckOptions",
    "ClusterOptions",
    "Existing",
    "FilterOptions",
    "InputOptions",
    "LocalOptions",
    "ModelOptions",
    "OnChange",
    "OnMissing",
    "OutputOptions",
    "PictureOptions",
    "PromptOptions",
    "RunOptions",
    "SamplePictures",
    "StrictOptions",
]
