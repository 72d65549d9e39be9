"""The routes of teams."""

from __future__ import annotations

from api.web.routing import resource_router

router = resource_router("teams", "/teams")
