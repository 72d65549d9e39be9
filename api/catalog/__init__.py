"""Catalog items: what the workspace offers, with prices and free attributes."""
