"""Captioned datasets that people edit: rows, queries, edits, previews, and one history of all writes."""
