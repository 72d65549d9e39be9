"""The routes of tags."""

from __future__ import annotations

from api.web.routing import resource_router

router = resource_router("tags", "/tags")
