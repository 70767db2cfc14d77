"""Captions that models make in the studio: proposals, or written at once."""
