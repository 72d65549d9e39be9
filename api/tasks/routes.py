"""The routes of tasks."""

from __future__ import annotations

from api.web.routing import resource_router

router = resource_router("tasks", "/tasks")
