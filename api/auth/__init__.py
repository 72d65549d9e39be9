"""Who is asking: passwords, tokens, the current user, and how fast one may guess."""
