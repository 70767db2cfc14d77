"""Model servers on this machine, started for the duration of a run, and model downloads by Ollama."""
