"""Every table of the application, so that Alembic sees them: one import per resource."""

from __future__ import annotations

from sqlmodel import SQLModel

import api.tasks.models  # noqa: F401  imported for its tables

metadata = SQLModel.metadata
