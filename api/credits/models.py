"""The tables of credits."""
