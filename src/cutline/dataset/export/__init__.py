"""Export a dataset: archives, folders and tables of its pictures and captions."""
