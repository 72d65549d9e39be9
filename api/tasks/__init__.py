"""Tasks of projects: who does what, and how far it is."""
