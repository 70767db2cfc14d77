"""The studio: view and edit the captions of a dataset in the browser."""
