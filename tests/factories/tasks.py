"""Tasks."""

from __future__ import annotations

from api.tasks.models import Task
from infra.testing.factories import Factory


class TaskFactory(Factory[Task]):
    """To do, by nobody."""
