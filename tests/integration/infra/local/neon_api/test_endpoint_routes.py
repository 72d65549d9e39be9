"""Endpoints, roles and databases over HTTP, and what becomes of them in PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest


def rows(uri, statement):
    with psycopg.connect(uri, autocommit=True, prepare_threshold=None) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def made(api, project):
    """A branch with an endpoint: its answer when it was made."""
    return api.new_branch(project.rpartition("/")[2], "endpoints", compute=True)


@pytest.fixture
def path(project, made):
    """The branch's path."""
    return f"{project}/branches/{made['branch']['id']}"


@pytest.fixture
def endpoint(project, made):
    """The endpoint's path."""
    return f"{project}/endpoints/{made['endpoints'][0]['id']}"


def uri_of(api, project, made, *, role="bough_owner", database="app", pooled=False):
    query = {"branch_id": made["branch"]["id"], "role_name": role, "database_name": database}
    return api.call("GET", f"{project}/connection_uri", pooled=pooled, **query)["uri"]


class TestEndpoint:
    def test_suspended_endpoint_wakes_for_all_who_connect(self, api, project, made, endpoint):
        """Many clients at once find it awake, pooled and direct, and none is refused."""
        suspended = api.done(api.call("POST", f"{endpoint}/suspend"))
        assert suspended["endpoint"]["pending_state"] == "idle"
        assert api.call("GET", endpoint)["endpoint"]["current_state"] == "idle"
        uris = [uri_of(api, project, made, pooled=pooled) for pooled in (False, True)] * 5
        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(lambda uri: rows(uri, "SELECT 1"), uris)) == [[(1,)]] * 10
        assert api.call("GET", endpoint)["endpoint"]["current_state"] == "active"

    def test_idle_endpoint_is_suspended_after_its_timeout(self, api, project, made, endpoint):
        """A second without a client, and its servers are gone; an open transaction keeps them."""
        changes = {"endpoint": {"suspend_timeout_seconds": 1}}
        assert api.call("PATCH", endpoint, changes)["endpoint"]["suspend_timeout_seconds"] == 1
        with psycopg.connect(uri_of(api, project, made)) as connection:
            connection.execute("SELECT 1")
            time.sleep(1.6)
            assert api.call("GET", endpoint)["endpoint"]["current_state"] == "active"
        deadline = time.monotonic() + 20
        while api.call("GET", endpoint)["endpoint"]["current_state"] != "idle":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        api.call("PATCH", endpoint, {"endpoint": {"suspend_timeout_seconds": -1}})

    def test_branch_has_one_endpoint(self, api, project, made):
        """A second read-write endpoint is a conflict, a read-only one does not exist here."""
        wanted = {"branch_id": made["branch"]["id"], "type": "read_write"}
        refusal = api.call("POST", f"{project}/endpoints", {"endpoint": wanted}, status=409)
        assert refusal["message"] == "read_write endpoint already exists"
        api.call("POST", f"{project}/endpoints", {"endpoint": {**wanted, "type": "read_only"}}, status=422)

    def test_endpoint_comes_and_goes_while_the_data_stays(self, api, project):
        """A branch made without an endpoint gets one, which says its id, and loses it again."""
        branch = api.new_branch(project.rpartition("/")[2], "bare")["branch"]
        wanted = {"endpoint": {"branch_id": branch["id"], "type": "read_write"}}
        added = api.done(api.call("POST", f"{project}/endpoints", wanted))["endpoint"]
        uri = uri_of(api, project, {"branch": branch})
        assert rows(uri, "SELECT current_setting('neon.endpoint_id')") == [(added["id"],)]
        assert added["host"] in uri
        api.done(api.call("DELETE", f"{project}/endpoints/{added['id']}"))
        api.call("DELETE", f"{project}/endpoints/{added['id']}", status=204)
        with pytest.raises(psycopg.OperationalError, match="refused"):
            rows(uri, "SELECT 1")

    @pytest.mark.parametrize(
        "changes",
        [
            {"autoscaling_limit_min_cu": 4, "autoscaling_limit_max_cu": 2},
            {"autoscaling_limit_min_cu": 0},
            {"suspend_timeout_seconds": -2},
            {"suspend_timeout_seconds": 604801},
        ],
    )
    def test_size_that_does_not_exist_is_refused(self, api, endpoint, changes):
        """Nothing changes then."""
        before = api.call("GET", endpoint)["endpoint"]
        api.call("PATCH", endpoint, {"endpoint": changes}, status=400)
        assert api.call("GET", endpoint)["endpoint"]["updated_at"] == before["updated_at"]


class TestConnectionUri:
    def test_branch_left_out_means_the_default_one(self, api, project, main):
        """Neon's trap is here too: no branch is production."""
        uri = api.call("GET", f"{project}/connection_uri", database_name="app", role_name="bough_owner")[
            "uri"
        ]
        assert rows(uri, "SELECT current_setting('neon.branch_id')") == [(main,)]

    @pytest.mark.parametrize("unknown", ["database_name", "role_name", "branch_id", "endpoint_id"])
    def test_what_is_unknown_is_not_found(self, api, project, unknown):
        """Each part of the question must exist."""
        query = {"database_name": "app", "role_name": "bough_owner", unknown: "none"}
        api.call("GET", f"{project}/connection_uri", status=404, **query)


class TestRoles:
    def test_role_made_by_the_api_is_a_neon_superuser(self, api, project, made, path):
        """It logs in, pooled too, and has the rights that Neon's have."""
        created = api.done(api.call("POST", f"{path}/roles", {"role": {"name": "second"}}))
        assert created["role"]["password"]
        uri = uri_of(api, project, made, role="second", pooled=True)
        rights = (
            "SELECT rolcreaterole, rolcreatedb, rolbypassrls, rolsuper FROM pg_roles WHERE rolname = 'second'"
        )
        assert rows(uri, rights) == [(True, True, True, False)]
        assert rows(uri, "SELECT pg_has_role('neon_superuser', 'MEMBER')") == [(True,)]
        names = [each["name"] for each in api.call("GET", f"{path}/roles")["roles"]]
        assert names == ["bough_owner", "second"]
        api.call("POST", f"{path}/roles", {"role": {"name": "second"}}, status=409)

    def test_new_password_takes_the_place_of_the_old(self, api, project, made, path):
        """Pooled and direct, the new one opens and the old one does not."""
        old = [uri_of(api, project, made, pooled=pooled) for pooled in (False, True)]
        assert [rows(uri, "SELECT 1") for uri in old] == [[(1,)]] * 2
        answer = api.done(api.call("POST", f"{path}/roles/bough_owner/reset_password"))
        revealed = api.call("GET", f"{path}/roles/bough_owner/reveal_password")
        assert revealed["password"] == answer["role"]["password"]
        new = [uri_of(api, project, made, pooled=pooled) for pooled in (False, True)]
        assert [rows(uri, "SELECT 1") for uri in new] == [[(1,)]] * 2
        for uri in old:
            with pytest.raises(psycopg.OperationalError, match="authentication failed"):
                rows(uri, "SELECT 1")

    def test_owner_of_something_is_not_deleted(self, api, path):
        """A role goes only when nothing is its own."""
        refusal = api.call("DELETE", f"{path}/roles/bough_owner", status=422)
        assert "owns" in refusal["message"]
        api.done(api.call("POST", f"{path}/roles", {"role": {"name": "guest", "no_login": True}}))
        api.call("GET", f"{path}/roles/guest/reveal_password", status=404)
        api.done(api.call("DELETE", f"{path}/roles/guest"))
        api.call("DELETE", f"{path}/roles/guest", status=204)
        api.call("GET", f"{path}/roles/guest", status=404)

    @pytest.mark.parametrize(
        ("name", "status"), [("postgres", 400), ("pg_mine", 400), ("", 400), ("x" * 64, 400)]
    )
    def test_name_that_no_role_can_have_is_refused(self, api, path, name, status):
        """Reserved, empty and overlong names."""
        api.call("POST", f"{path}/roles", {"role": {"name": name}}, status=400)


class TestDatabases:
    def test_database_is_its_owners_and_goes_with_its_connections(self, api, project, made, path):
        """A new database can be connected to at once, and dropped though somebody is connected."""
        wanted = {"database": {"name": "more", "owner_name": "bough_owner"}}
        api.done(api.call("POST", f"{path}/databases", wanted))
        api.call("POST", f"{path}/databases", wanted, status=409)
        uri = uri_of(api, project, made, database="more")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("CREATE TABLE t ()")
            api.done(api.call("DELETE", f"{path}/databases/more"))
        api.call("DELETE", f"{path}/databases/more", status=204)
        assert [each["name"] for each in api.call("GET", f"{path}/databases")["databases"]] == ["app"]

    def test_owner_that_does_not_exist_is_not_found(self, api, path):
        """Nothing is made."""
        wanted = {"database": {"name": "lost", "owner_name": "nobody"}}
        api.call("POST", f"{path}/databases", wanted, status=404)
        api.call("GET", f"{path}/databases/lost", status=404)
