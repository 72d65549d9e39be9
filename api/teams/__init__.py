"""Teams: which users belong together."""
