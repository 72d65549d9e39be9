"""Backfills: changes of many rows in small batches, outside the transactions of revisions."""
