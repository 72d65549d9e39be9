"""What the linter is made of: reading a revision's SQL, and the rules that it is held against."""
