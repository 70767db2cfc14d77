"""Filters: which pictures get a caption, decided before anything is paid."""
