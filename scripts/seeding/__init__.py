"""Data for `bough seed`: what is written, and the way it is loaded."""
