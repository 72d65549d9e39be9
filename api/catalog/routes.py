"""The routes of catalog."""

from __future__ import annotations

from api.web.routing import resource_router

router = resource_router("catalog", "/catalog")
