"""What the captions of a dataset say: words, phrases, and what to mend."""
