"""The studio: captions of a dataset, seen and edited in the browser."""
