"""A control plane that speaks Neon's API over PostgreSQL clusters on this machine."""
