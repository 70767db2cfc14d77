"""Checks: what is done with a caption between the chain and the output, with the picture beside it."""
