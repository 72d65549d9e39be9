"""What concerns a database branch, whoever hosts it."""
