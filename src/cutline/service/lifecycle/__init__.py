"""Reload and shutdown."""
