"""Vision-language models in this process, through the transformers library."""
