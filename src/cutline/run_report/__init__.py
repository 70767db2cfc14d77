"""Reports of a run: one offline page with its distributions, failures, cost and samples."""
