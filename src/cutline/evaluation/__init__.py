"""Evaluation: captions against references, per picture and for all, with intervals."""
