"""The world that tests run in: the kit's own fixtures for projects, this one included."""

from __future__ import annotations

pytest_plugins = ["infra.testing.plugin"]
