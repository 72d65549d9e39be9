"""Every table of the application, so that Alembic sees them: one import per resource."""

from __future__ import annotations

import api.auth.models
import api.catalog.models
import api.credits.models
import api.posts.models
import api.projects.models
import api.tags.models
import api.tasks.models
import api.teams.models
import api.users.models
import api.web.idempotency_keys  # noqa: F401  imported for their tables
from api.database.base import Base

metadata = Base.metadata
