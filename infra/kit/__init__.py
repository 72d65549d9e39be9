"""Projects made from the kit: a new one, and later versions of the kit for those that are there."""
