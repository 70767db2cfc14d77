"""Runs of jobs: journal, ordered output, budgets, batches and the report."""
