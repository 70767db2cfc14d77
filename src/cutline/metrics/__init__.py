"""Metrics: scores of captions, for comparisons."""
