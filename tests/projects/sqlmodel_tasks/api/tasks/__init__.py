"""Tasks with tags."""
