"""Restore and reset over HTTP: other data under the same ids, ports and URLs."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest


def rows(uri, statement):
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def family(api, project):
    """A parent with a table of one row, and its child: their answers when they were made."""
    project_id = project.rpartition("/")[2]
    parent = api.new_branch(project_id, "parent", compute=True)
    rows(parent["connection_uris"][0]["connection_uri"], "CREATE TABLE t AS SELECT 1 AS i")
    return parent, api.new_branch(project_id, "child", compute=True, parent_id=parent["branch"]["id"])


def uri_of(answer):
    """Return the connection string that came with a branch."""
    return answer["connection_uris"][0]["connection_uri"]


@pytest.fixture
def path(project, family):
    """The child's path."""
    return f"{project}/branches/{family[1]['branch']['id']}"


@pytest.fixture
def source(family):
    """The body of a reset to the parent's present."""
    return {"source_branch_id": family[0]["branch"]["id"]}


class TestReset:
    def test_branch_becomes_what_its_parent_is_now(self, api, family, path, source):
        """The parent's rows are there and its own are not, under the same URL and identity."""
        parent, child = map(uri_of, family)
        rows(parent, "INSERT INTO t VALUES (2)")
        rows(child, "INSERT INTO t VALUES (3)")
        with psycopg.connect(child) as open_connection:
            answer = api.done(api.call("POST", f"{path}/restore", source))
            with pytest.raises(psycopg.OperationalError):
                open_connection.execute("SELECT 1")
        assert answer["branch"]["current_state"] == "resetting"
        assert rows(child, "SELECT i FROM t ORDER BY i") == [(1,), (2,)]
        assert rows(child, "SELECT current_setting('neon.branch_id')") == [(family[1]["branch"]["id"],)]
        after = api.call("GET", path)["branch"]
        assert (after["current_state"], "last_reset_at" in after) == ("ready", True)

    def test_interval_until_expiry_starts_again(self, api, path, source):
        """A branch that lives for an hour has the whole hour again."""
        in_an_hour = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        wish = {"branch": {"expires_at": in_an_hour.isoformat()}}
        before = api.call("PATCH", path, wish)["branch"]["expires_at"]
        api.done(api.call("POST", f"{path}/restore", source))
        after = api.call("GET", path)["branch"]
        assert after["expires_at"] > before
        assert after["ttl_interval_seconds"] == 3600
        api.call("PATCH", path, {"branch": {"expires_at": None}})

    def test_present_is_preserved_under_a_name(self, api, project, family, path, source):
        """The old state lives on as a branch without an endpoint; the endpoint stays where it was."""
        child = uri_of(family[1])
        rows(child, "CREATE TABLE only_here ()")
        api.done(api.call("POST", f"{path}/restore", {**source, "preserve_under_name": "before"}))
        kept = api.call("GET", f"{project}/branches", search="before")["branches"][0]
        assert rows(child, "SELECT to_regclass('only_here')") == [(None,)]
        assert api.call("GET", f"{project}/branches/{kept['id']}/endpoints") == {"endpoints": []}
        sql = api.call("GET", f"{project}/branches/{kept['id']}/schema", db_name="app")["sql"]
        assert "CREATE TABLE public.only_here" in sql
        api.done(api.call("DELETE", f"{project}/branches/{kept['id']}", hard_delete=True))

    def test_children_move_to_what_is_preserved(self, api, project, family, source, path):
        """A branch with children is restored only under a name, which becomes their parent."""
        project_id, branch_id = project.rpartition("/")[2], family[1]["branch"]["id"]
        grandchild = api.new_branch(project_id, "grandchild", parent_id=branch_id)["branch"]["id"]
        refusal = api.call("POST", f"{path}/restore", source, status=422)
        assert refusal["message"] == "Branch has children, preserve_under_name is required"
        api.done(api.call("POST", f"{path}/restore", {**source, "preserve_under_name": "ancestor"}))
        kept = api.call("GET", f"{project}/branches", search="ancestor")["branches"][0]["id"]
        assert api.call("GET", f"{project}/branches/{grandchild}")["branch"]["parent_id"] == kept
        assert api.call("GET", path)["branch"]["parent_id"] == source["source_branch_id"]


class TestRefusal:
    @pytest.mark.parametrize(
        ("point", "refusal"),
        [
            ({"source_timestamp": "2020-01-01T00:00:00Z"}, (406, "less than latest GC cutoff")),
            ({"source_lsn": "0/1"}, (406, "less than latest GC cutoff")),
            ({"source_timestamp": "2999-01-01T00:00:00Z"}, (400, "in the future")),
            ({"source_timestamp": "2020-01-01T00:00:00Z", "source_lsn": "0/1"}, (400, "both")),
            ({"preserve_under_name": "parent"}, (409, "branch already exists")),
        ],
    )
    def test_point_that_is_not_kept_is_refused(self, api, path, source, point, refusal):
        """Of the past nothing is kept, and of the future nothing is known."""
        status, words = refusal
        assert words in api.call("POST", f"{path}/restore", {**source, **point}, status=status)["message"]

    def test_branch_is_not_its_own_source_without_a_time(self, api, path, family):
        """To restore a branch to its own present is a mistake."""
        own = {"source_branch_id": family[1]["branch"]["id"]}
        api.call("POST", f"{path}/restore", own, status=400)

    def test_protected_branch_is_not_restored(self, api, path, source):
        """Protection is lifted first."""
        api.call("PATCH", path, {"branch": {"protected": True}})
        api.call("POST", f"{path}/restore", source, status=422)
        api.call("PATCH", path, {"branch": {"protected": False}})


class TestSchema:
    def test_difference_is_a_unified_diff(self, api, family, path, source):
        """The base's lines are taken away, the branch's added; equal schemas have no difference."""
        query = {"db_name": "app", "base_branch_id": source["source_branch_id"]}
        assert api.call("GET", f"{path}/compare_schema", **query) == {"diff": ""}
        rows(uri_of(family[1]), "CREATE TABLE another (id int PRIMARY KEY)")
        assert "+CREATE TABLE public.another" in api.call("GET", f"{path}/compare_schema", **query)["diff"]
        tables = api.call("GET", f"{path}/schema", db_name="app", format="json")["json"]["tables"]
        assert "another" in [each["name"] for each in tables]

    def test_unknown_database_and_past_are_refused(self, api, path):
        """There is no such database, and no such past."""
        api.call("GET", f"{path}/schema", db_name="none", status=404)
        api.call("GET", f"{path}/schema", db_name="app", timestamp="2020-01-01T00:00:00Z", status=406)
