"""Judging: which of several captions is better, by a model or by people."""
