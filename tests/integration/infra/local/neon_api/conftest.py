"""One control plane for all tests of a worker that change nothing of each other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.neon_api import NeonApi, neon_api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def api(tmp_path_factory) -> Iterator[NeonApi]:
    """A running control plane."""
    limits = '{"suspend_timeout_seconds": 1, "active_endpoints": 50}'
    with neon_api(tmp_path_factory.mktemp("neon-api"), "--limits", limits) as running:
        yield running


@pytest.fixture(scope="session")
def project(api: NeonApi) -> str:
    """The path of a project with a database `app` of `bough_owner`."""
    return f"/projects/{api.new_project()}"


@pytest.fixture(scope="session")
def main(api: NeonApi, project: str) -> str:
    """The id of the project's default branch."""
    branches = api.call("GET", f"{project}/branches")["branches"]
    return next(each["id"] for each in branches if each["default"])


@pytest.fixture(autouse=True)
def _no_faults_left(request) -> Iterator[None]:
    yield
    if "api" in request.fixturenames:
        api = request.getfixturevalue("api")
        api.client.delete(api.base_url.removesuffix("/api/v2") + "/faults")
