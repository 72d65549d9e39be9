"""Tags: words to find things by, shared by posts and tasks."""
