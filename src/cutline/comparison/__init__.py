"""Comparisons: the same pictures captioned by several models, prompts, chains and earlier outputs.

``candidates`` parses what is compared, ``candidate_runs`` captions with each, ``captions`` reads what they
wrote, ``statistics`` and ``scores`` measure it, ``page`` and ``exports`` write it down.
"""
