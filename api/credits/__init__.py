"""Credits: accounts, and transfers between them."""
