"""Who may use the control plane, and what it says of itself."""

from __future__ import annotations

import httpx2
import pytest


class TestAccess:
    @pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", "Basic wrong"])
    def test_without_the_key_nothing_is_said(self, api, key):
        """Every route answers 401 in Neon's form, also those that do not exist."""
        for path in ("/api/v2/projects", "/api/v2/nothing", "/faults"):
            url = api.upstream.removesuffix("/api/v2") + path
            answer = httpx2.get(url, headers={"Authorization": key})
            assert (answer.status_code, answer.json().keys()) == (401, {"request_id", "code", "message"})

    def test_other_names_than_loopbacks_are_refused(self, api):
        """A browser that was led here by somebody's DNS bears that name in `Host`."""
        upstream = api.upstream
        headers = {"Authorization": api.client.headers["authorization"]}
        assert (
            httpx2.get(f"{upstream}/projects", headers={**headers, "Host": "evil.example"}).status_code == 403
        )
        for host in ("localhost:1", "[::1]:1", "127.0.0.1"):
            assert httpx2.get(f"{upstream}/projects", headers={**headers, "Host": host}).status_code == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/projects/none"),
            ("PUT", "/projects"),
            ("GET", "/api_keys"),
            ("POST", "/projects/none/branches/main/push"),
        ],
    )
    def test_what_does_not_exist_is_404_in_neons_form(self, api, method, path):
        """Unknown routes and methods are all the same to clients."""
        refusal = api.call(method, path, status=404)
        assert refusal.keys() == {"request_id", "code", "message"}

    def test_request_id_of_the_client_comes_back(self, api):
        """So that a refusal can be found again."""
        answer = api.client.get("projects/none", headers={"X-Request-ID": "mine"})
        assert answer.json()["request_id"] == "mine"


class TestAccount:
    def test_there_is_one_user_organization_and_region(self, api):
        """As much as the official command line asks before it does anything."""
        assert api.call("GET", "/users/me")["branches_limit"] > 0
        assert len(api.call("GET", "/users/me/organizations")["organizations"]) == 1
        assert len(api.call("GET", "/regions")["regions"]) == 1
        assert api.call("GET", "/projects/shared", limit=100)["projects"] == []

    def test_projects_and_operations_are_paged_by_cursor(self, api, project):
        """A cursor comes with the last page too; the page after it is empty."""
        page = api.call("GET", "/projects", limit=1)
        assert [f"/projects/{each['id']}" for each in page["projects"]] == [project]
        last = page["pagination"]["cursor"]
        assert api.call("GET", "/projects", limit=1, cursor=last)["projects"] == []
        api.call("GET", "/projects", limit=401, status=400)
        api.call("GET", "/projects", cursor="none", status=400)
        newest = api.call("GET", f"{project}/operations", limit=1)
        older = api.call("GET", f"{project}/operations", limit=1, cursor=newest["pagination"]["cursor"])
        assert newest["operations"][0]["created_at"] >= older["operations"][0]["created_at"]
