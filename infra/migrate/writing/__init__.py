"""Writing revisions: what autogenerate found, divided and in forms that block nobody for long."""
