"""Migrations: which revisions a database has, and taking it to another."""
