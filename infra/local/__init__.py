"""The world on one machine: PostgreSQL, PgBouncer and the function host, all on loopback."""
