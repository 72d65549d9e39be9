"""The people who use the application: registration, roles, deactivation."""
