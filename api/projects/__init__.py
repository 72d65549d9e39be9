"""Projects: their members, and what each may do."""
