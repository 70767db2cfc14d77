"""The query language of datasets: a text is parsed into a tree, which is evaluated to a mask of rows."""

from cutline.dataset.query.completion import Completion, complete
from cutline.dataset.query.evaluator import Columns, evaluate
from cutline.dataset.query.fields import FIELDS
from cutline.dataset.query.parser import QueryError, parse

__all__ = ["FIELDS", "Columns", "Completion", "QueryError", "complete", "evaluate", "parse"]
