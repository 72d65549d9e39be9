"""Posts and their tags: drafts, publishing, lists and search."""
