"""Rehearsals: pending revisions run on a fork of their target, measured and judged."""
