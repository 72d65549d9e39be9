"""The tables of catalog."""
