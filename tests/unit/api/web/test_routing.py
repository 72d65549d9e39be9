"""Routes of resources in an application."""

from __future__ import annotations

import sys
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from api.web.routing import resource_router, serve


def _who() -> str:
    return "the real one"


class TestServe:
    @pytest.fixture
    def app(self):
        router = resource_router("things", "/things")

        @router.get("")
        async def list_things(who: Annotated[str, Depends(_who)]) -> str:
            return who

        app = FastAPI()
        serve(app, router, {})
        yield app
        app.dependency_overrides.clear()

    def test_route_is_served_with_its_prefix(self, app):
        """The routes are the application's own."""
        assert TestClient(app).get("/things").json() == "the real one"

    def test_dependency_can_be_overridden(self, app):
        """What tests of FastAPI applications rely on works for these routes as well."""
        app.dependency_overrides[_who] = lambda: "a stand-in"
        assert TestClient(app).get("/things").json() == "a stand-in"

    def test_operation_is_documented_under_its_own_name(self, app):
        """Operation ids are the functions' names."""
        operation = app.openapi()["paths"]["/things"]["get"]
        assert (operation["operationId"], operation["tags"]) == ("list_things", ["things"])

    @pytest.mark.parametrize(
        ("initialization", "imported"), [("on-demand", False), ("snap-start", True), ("", True)]
    )
    def test_everything_is_imported_where_no_request_waits(
        self, tmp_path, monkeypatch, initialization, imported
    ):
        """A snapshot holds all resources, and so does a server; a request on demand imports its own."""
        name = f"imported_{initialization.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(
            "from api.web.routing import resource_router\nrouter = resource_router('boxes')\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", initialization)
        app = FastAPI()
        serve(app, resource_router("things"), {name: ["/boxes"]})
        assert (name in sys.modules) is imported
        TestClient(app).get("/boxes")
        assert sys.modules.pop(name)
