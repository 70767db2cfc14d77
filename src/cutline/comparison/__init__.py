"""Comparisons: the same pictures captioned by several models, prompts, chains and earlier outputs.

``candidates`` parses what is compared, ``candidate_runs`` captions with each, ``statistics`` and ``scores``
measure what they wrote, ``page`` and ``exports`` write it down.
"""
