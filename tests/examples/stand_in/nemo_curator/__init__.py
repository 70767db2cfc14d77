"""What NeMo Curator documents of its stages and tasks, and no more: it needs CUDA to be installed."""
