"""What runs inside an artifact: it asks a database whether the artifact's own code could still use it.

`infra.migrate.rehearsal.compatibility` starts it as `python -m bough_probe`, with the artifact as the only
other place to import from. So nothing here imports anything but the standard library, SQLAlchemy as the
artifact has it, and its own modules, by relative names.
"""
