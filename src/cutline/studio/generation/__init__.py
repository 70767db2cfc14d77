"""Captions by models in the studio: proposed, or written immediately."""
