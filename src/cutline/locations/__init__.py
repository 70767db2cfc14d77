"""Where a picture's bytes are: files, tars, remote storage, and downloads with checked addresses."""
