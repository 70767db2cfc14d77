"""Captions as text: sentences, and differences in words."""
