"""The `bough` command."""
