"""Recovery of lost models, reload and shutdown."""
