"""Branches at Neon, and on this machine."""
