"""Every table of the application, so that Alembic sees them: one import per resource."""

from __future__ import annotations

from api.database.base import Base

metadata = Base.metadata
