"""Resources that are imported by the first request that asks for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from starlette.routing import NoMatchFound
from starlette.testclient import TestClient

from api.web.resources import Resource, with_all_routes
from api.web.routing import resource_router

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[4]

IMPORTED = """
import json, sys
from starlette.testclient import TestClient
from api.app import app
client = TestClient(app)
found = []
for path in json.loads(sys.argv[1]):
    client.get(path)
    names = [name.split(".") for name in sys.modules]
    found.append(sorted(name[1] for name in names if name[0] == "api" and name[-1] == "routes"))
print(json.dumps(found))
"""


def imported_after(paths: list[str], **environment: str) -> list[list[str]]:
    """Return whose routes a new process has imported after each request."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, json.dumps(paths)],
        cwd=REPOSITORY,
        env={**os.environ, "BOUGH_ENVIRONMENT": "test", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def things() -> Iterator[Resource]:
    """A resource whose module is there already."""
    router = resource_router("things")

    @router.get("/things/{key}")
    async def read_thing(key: str) -> str:
        return key

    @router.delete("/boxes/{key}/things")
    async def empty_box(key: str) -> str:
        return f"{key} is empty"

    sys.modules["tests_things_routes"] = module = type(sys)("tests_things_routes")
    module.router = router  # type: ignore[attr-defined]
    yield Resource("tests_things_routes", ["/things", "/boxes"])
    del sys.modules["tests_things_routes"]


@pytest.fixture
def app(things: Resource) -> FastAPI:
    """An app with that resource."""
    app = FastAPI()
    app.router.routes.append(things)
    return app


class TestResource:
    @pytest.mark.parametrize(
        ("method", "path", "status", "answer"),
        [
            ("GET", "/things/a", 200, "a"),
            ("DELETE", "/boxes/b/things", 200, "b is empty"),
            ("PUT", "/things/a", 405, {"detail": "Method Not Allowed"}),
            ("GET", "/things", 404, {"detail": "Not Found"}),
            ("GET", "/thingsome/a", 404, {"detail": "Not Found"}),
        ],
    )
    def test_answers_as_its_routes_would(self, app: FastAPI, method, path, status, answer):
        """Matches, wrong methods and paths that only begin alike are told apart."""
        response = TestClient(app).request(method, path)
        assert (response.status_code, response.json()) == (status, answer)

    def test_answers_below_a_stage(self, app: FastAPI):
        """A path that API Gateway prefixed with its stage is that of the application."""
        client = TestClient(app, root_path="/prod")
        assert client.get("/prod/things/a").json() == "a"

    def test_paths_are_found_by_name(self, app: FastAPI):
        """What `request.url_for` relies on, to make a `Location` for one."""
        assert app.url_path_for("empty_box", key="b") == "/boxes/b/things"
        for name, parameters in (("read_thing", {}), ("read_nothing", {"key": "a"})):
            with pytest.raises(NoMatchFound):
                app.url_path_for(name, **parameters)

    def test_slash_too_many_is_redirected(self, app: FastAPI):
        """As for any route of FastAPI."""
        response = TestClient(app).get("/things/a/", follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (307, "http://testserver/things/a")

    def test_only_what_is_asked_for_is_imported_on_demand(self):
        """A cold start pays for the resource of its request, and for no other."""
        found = imported_after(
            ["/healthz", "/tags", "/nothing", "/credits/nothing"],
            AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
        )
        assert found == [[], ["tags"], ["tags"], ["credits", "tags"]]


class TestWithAllRoutes:
    def test_document_holds_what_no_request_asked_for(self, app: FastAPI):
        """Who reads the routes one by one sees those of each resource; the app itself is as before."""
        before = list(app.router.routes)
        paths = with_all_routes(app).openapi()["paths"]
        assert set(paths) == {"/things/{key}", "/boxes/{key}/things"}
        assert app.router.routes == before
