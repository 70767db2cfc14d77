"""The fields of queries, and the values of those with a fixed set."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "tag": 'one of the comma-separated tags: tag:cat, tag:"red car"',
    "path": "a part of the picture's path, or a pattern: path:train/*",
    "missing": "pictures without a caption: missing:",
    "words": "number of words: words>40, words<5, words:10..20",
    "chars": "number of characters: chars>300",
    "tokens": "number of CLIP's tokens: tokens>77",
    "model": "the model that wrote the caption: model:blip",
    "status": "status:done, status:flagged, status:failed; status:open for all but the done ones",
    "failed": "the kind of a model's failure: failed:timeout",
    "edited": "edited in the studio or by a command: edited:, edited:today, edited:no",
    "has": "has:proposal",
    "dup": "dup:exact, equal captions; dup:near, with the same words in any order and case; "
    "dup:picture, pictures with the same bytes",
    "any": 'one of the words or phrases; with * at the end a prefix: any:"red car,blu*"',
    "all": 'all of the words or phrases; with * at the end a prefix: all:"red car,blu*"',
    "in": "a named set of pictures: in:lasso-1",
    "cluster": "a cluster by its name or number: cluster:3",
    "saved": "a saved filter by its name: saved:keepers",
    "re": "a regular expression: re:/colou?r/, re:/photo/i without regard to case",
}
"""Fields of queries, each with an example."""
VALUES: Final = {
    "missing": ("yes", "no"),
    "status": ("done", "flagged", "failed", "open"),
    "edited": ("yes", "no", "today"),
    "has": ("proposal",),
    "dup": ("exact", "near", "picture"),
}
"""The values of these fields; others take any."""
