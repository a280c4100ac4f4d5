"""Prefect's flows: thin over the functions that do the work, which know nothing of it."""
