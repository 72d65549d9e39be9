"""Branches over HTTP: made, listed, changed and refused as at Neon."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psycopg
import pytest


def soon(**delta):
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(uri, statement):
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def work(api, project):
    """A branch with an endpoint that tests of this module share: its answer when it was made."""
    return api.new_branch(project.rpartition("/")[2], "work", compute=True)


@pytest.fixture(scope="module")
def shared_leaf(api, project):
    """A branch without an endpoint and without children: its id."""
    return api.new_branch(project.rpartition("/")[2], "leaf")["branch"]["id"]


@pytest.fixture
def leaf(api, project, shared_leaf):
    """It, as it was when it was made."""
    yield shared_leaf
    path = f"{project}/branches/{shared_leaf}"
    for changes in ({"protected": False}, {"expires_at": None}, {"name": "leaf"}):
        api.call("PATCH", path, {"branch": changes})


class TestCreate:
    def test_branch_has_the_parents_data_and_says_who_it_is(self, api, project, main, work):
        """What the answer's connection string leads to is a copy that knows its own ids."""
        uri = work["connection_uris"][0]["connection_uri"]
        identity = rows(
            uri,
            "SELECT current_setting('neon.project_id'), current_setting('neon.branch_id'),"
            " current_setting('neon.endpoint_id')",
        )
        branch, endpoint = work["branch"], work["endpoints"][0]
        assert identity == [(project.rpartition("/")[2], branch["id"], endpoint["id"])]
        assert (branch["parent_id"], branch["current_state"]) == (main, "init")
        assert api.call("GET", f"{project}/branches/{branch['id']}")["branch"]["current_state"] == "ready"

    def test_fifty_of_one_name_make_one(self, api, project):
        """One POST of fifty is answered 201, all others 409 in Neon's words."""

        def post(_):
            answer = client.post(f"{api.base_url}{project}/branches", json={"branch": {"name": "contested"}})
            return answer.status_code, answer.json()

        with (
            httpx2.Client(headers=api.client.headers, timeout=60) as client,
            ThreadPoolExecutor(50) as threads,
        ):
            answers = list(threads.map(post, range(50)))
        assert sorted(status for status, _ in answers) == [201] + [409] * 49
        refusal = next(body for status, body in answers if status == 409)
        assert refusal["code"] == "BRANCH_ALREADY_EXISTS"
        assert refusal["message"] == 'branch already exists; branch_name:"contested"'
        api.done(next(body for status, body in answers if status == 201))
        assert api.call("GET", f"{project}/branches/count", search="contested") == {"count": 1}

    def test_nameless_branch_is_called_by_its_id(self, api, project):
        """No request body is needed: a child of the default branch without an endpoint."""
        made = api.done(api.call("POST", f"{project}/branches"))
        assert made["branch"]["name"] == made["branch"]["id"]
        assert (made["endpoints"], "connection_uris" in made) == ([], False)

    def test_schema_only_branch_is_a_root_without_rows(self, api, project, main, work):
        """A schema-only branch has no parent, and tables without rows."""
        uri = work["connection_uris"][0]["connection_uri"]
        rows(uri, "CREATE TABLE kept AS SELECT 1 AS one")
        made = api.new_branch(
            project.rpartition("/")[2],
            "shape",
            compute=True,
            init_source="schema-only",
            parent_id=work["branch"]["id"],
        )
        assert "parent_id" not in made["branch"]
        assert rows(made["connection_uris"][0]["connection_uri"], "SELECT * FROM kept") == []

    def test_child_of_a_protected_parent_has_new_passwords(self, api, project, main):
        """The protected parent's password does not open its child."""
        api.call("PATCH", f"{project}/branches/{main}", {"branch": {"protected": True}})
        made = api.new_branch(project.rpartition("/")[2], "of-protected", compute=True)
        api.call("PATCH", f"{project}/branches/{main}", {"branch": {"protected": False}})
        reveal = "roles/bough_owner/reveal_password"
        old = api.call("GET", f"{project}/branches/{main}/{reveal}")["password"]
        uri = made["connection_uris"][0]["connection_uri"]
        new = made["connection_uris"][0]["connection_parameters"]["password"]
        assert rows(uri, "SELECT current_user") == [("bough_owner",)]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            rows(uri.replace(new, old), "SELECT 1")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"branch": {"name": ""}}, 400),
            ({"branch": {"name": "x" * 257}}, 400),
            ({"branch": {"name": 5}}, 400),
            ({"branch": {"parent_id": "No Such"}}, 400),
            ({"branch": {"parent_id": "br-none"}}, 404),
            ({"branch": {"parent_timestamp": "2020-01-01T00:00:00Z"}}, 406),
            ({"branch": {"parent_lsn": "0/15E3B48"}}, 406),
            ({"branch": {"parent_timestamp": "2999-01-01T00:00:00Z"}}, 400),
            ({"branch": {"expires_at": "2020-01-01T00:00:00Z"}}, 400),
            ({"branch": {"expires_at": "2999-01-01T00:00:00Z"}}, 400),
            ({"branch": {"expires_at": "2026-12-01T00:00:00"}}, 400),
            ({"branch": {"expires_at": 1893456000}}, 400),
            ({"branch": {"init_source": "nothing"}}, 400),
            ({"endpoints": [{"type": "read_only"}]}, 422),
            ({"endpoints": [{"type": "read_write", "autoscaling_limit_min_cu": 0.1}]}, 400),
            ({"endpoints": [{}]}, 400),
        ],
    )
    def test_wrong_body_is_refused_in_neons_form(self, api, project, body, status):
        """A wrong request changes nothing, and says what is wrong as Neon does."""
        before = api.call("GET", f"{project}/branches/count")
        refusal = api.call("POST", f"{project}/branches", body, status=status)
        assert refusal.keys() == {"request_id", "code", "message"}
        assert refusal["message"]
        assert api.call("GET", f"{project}/branches/count") == before

    def test_body_that_is_no_json_is_refused_in_neons_form(self, api, project):
        """Not even JSON gets FastAPI's or Starlette's own answer."""
        answer = api.client.post(f"{project.lstrip('/')}/branches", content=b"{")
        assert (answer.status_code, answer.json()["code"]) == (400, "")


class TestList:
    def test_pages_hold_every_branch_once(self, api, project, leaf):
        """Pages of one, followed by `next`, are the whole list."""
        whole = api.call("GET", f"{project}/branches", sort_by="name", sort_order="asc")["branches"]
        found, cursor = [], {}
        while True:
            page = api.call("GET", f"{project}/branches", sort_by="name", sort_order="asc", limit=1, **cursor)
            found += page["branches"]
            if "next" not in page["pagination"]:
                break
            cursor = {"cursor": page["pagination"]["next"]}
        assert [each["id"] for each in found] == [each["id"] for each in whole]
        assert [each["name"] for each in whole] == sorted(each["name"] for each in whole)

    def test_latest_change_comes_first(self, api, project, leaf):
        """Without an order the branch that changed last leads."""
        api.call("PATCH", f"{project}/branches/{leaf}", {"branch": {"name": "renamed"}})
        assert api.call("GET", f"{project}/branches")["branches"][0]["name"] == "renamed"

    def test_search_looks_at_names_and_ids(self, api, project, leaf):
        """A part of either finds the branch."""
        name = api.call("GET", f"{project}/branches/{leaf}")["branch"]["name"]
        for part in (leaf[3:], name[:-1]):
            found = api.call("GET", f"{project}/branches", search=part)["branches"]
            assert leaf in [each["id"] for each in found]
            assert [each for each in found if part not in each["id"] + each["name"]] == []

    @pytest.mark.parametrize(
        "query", [{"cursor": "%%%"}, {"cursor": "WzFd"}, {"limit": 0}, {"sort_by": "size"}]
    )
    def test_wrong_query_is_refused(self, api, project, query):
        """What the API does not have is a 400."""
        api.call("GET", f"{project}/branches", status=400, **query)


class TestExpiry:
    def test_expired_branch_is_gone_with_its_ports(self, api, project):
        """Soon after its time a branch is deleted, and nothing listens on its ports."""
        made = api.new_branch(project.rpartition("/")[2], "brief", compute=True)
        path, uri = f"{project}/branches/{made['branch']['id']}", made["connection_uris"][0]["connection_uri"]
        assert rows(uri, "SELECT 1") == [(1,)]
        at = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.5)).isoformat()
        api.call("PATCH", path, {"branch": {"expires_at": at}})
        deadline = time.monotonic() + 20
        while api.client.get(path.lstrip("/")).status_code != 404:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        api.done({"operations": api.call("GET", f"{project}/operations", limit=1)["operations"]})
        with pytest.raises(psycopg.OperationalError, match="refused"):
            rows(uri, "SELECT 1")
        found = api.call("GET", f"{project}/branches", search="brief", include_deleted=True)
        assert found["branches"] == []

    def test_expiry_is_changed_and_taken_back(self, api, project, leaf):
        """PATCH sets it and null takes it back."""
        path, at = f"{project}/branches/{leaf}", soon(days=3)
        changed = api.call("PATCH", path, {"branch": {"expires_at": at}})["branch"]
        assert changed["expires_at"] == at
        api.call("PATCH", path, {"branch": {"name": "unrelated"}})
        assert api.call("GET", path)["branch"]["expires_at"] == at
        assert "expires_at" not in api.call("PATCH", path, {"branch": {"expires_at": None}})["branch"]

    def test_expiry_is_refused_where_neon_refuses_it(self, api, project, main, leaf):
        """Default, protected and parent branches do not expire, and what expires has no children."""
        wish = {"branch": {"expires_at": soon(days=1)}}
        api.call("PATCH", f"{project}/branches/{main}", wish, status=422)
        api.call("PATCH", f"{project}/branches/{leaf}", wish)
        api.call("PATCH", f"{project}/branches/{leaf}", {"branch": {"protected": True}}, status=422)
        child = {"branch": {"name": "of what expires", "parent_id": leaf}}
        api.call("POST", f"{project}/branches", child, status=422)
        api.call("POST", f"{project}/branches/{leaf}/set_as_default", status=422)


class TestDelete:
    def test_deleted_branch_can_be_recovered(self, api, project):
        """A deleted branch is not found until it is recovered; then its connection string works."""
        made = api.new_branch(project.rpartition("/")[2], "missed", compute=True)
        path, uri = f"{project}/branches/{made['branch']['id']}", made["connection_uris"][0]["connection_uri"]
        rows(uri, "CREATE TABLE mine ()")
        api.done(api.call("DELETE", path))
        api.call("GET", path, status=404)
        api.call("DELETE", path, status=204)
        listed = api.call("GET", f"{project}/branches", search="missed", include_deleted=True)["branches"]
        assert listed[0]["recovery"]["deletion_method"] == "user"
        with pytest.raises(psycopg.OperationalError, match="refused"):
            rows(uri, "SELECT 1")
        recovered = api.call("POST", f"{path}/recover")
        assert recovered["endpoints"][0]["current_state"] == "idle"
        assert rows(uri, "SELECT to_regclass('mine')") == [("mine",)]

    def test_hard_deleted_branch_is_gone(self, api, project):
        """Nothing is left to recover."""
        made = api.new_branch(project.rpartition("/")[2], "unwanted")["branch"]
        path = f"{project}/branches/{made['id']}"
        api.done(api.call("DELETE", path, hard_delete=True))
        api.call("POST", f"{path}/recover", status=404)
        api.call("DELETE", path, status=204)

    def test_default_protected_and_parent_branches_stay(self, api, project, main, leaf):
        """Each is refused with 422, a parent with its children."""
        api.call("DELETE", f"{project}/branches/{main}", status=422)
        api.call("PATCH", f"{project}/branches/{leaf}", {"branch": {"protected": True}})
        api.call("DELETE", f"{project}/branches/{leaf}", status=422)
        api.call("PATCH", f"{project}/branches/{leaf}", {"branch": {"protected": False}})
        child = api.new_branch(project.rpartition("/")[2], "heir", parent_id=leaf)["branch"]["id"]
        refusal = api.call("DELETE", f"{project}/branches/{leaf}", status=422)
        assert refusal["message"] == f"cannot delete branch that has children: {child}"
        api.done(api.call("DELETE", f"{project}/branches/{child}", hard_delete=True))

    def test_branch_in_the_making_is_locked(self, api, project):
        """While it is copied, a branch is neither deleted nor a parent: 423, until that is over."""
        made = api.call("POST", f"{project}/branches", {"branch": {"name": "fresh"}})
        branch_id = made["branch"]["id"]
        refusal = api.call("DELETE", f"{project}/branches/{branch_id}", status=423)
        assert "conflicting operations" in refusal["message"]
        child = {"branch": {"name": "too-early", "parent_id": branch_id}}
        api.call("POST", f"{project}/branches", child, status=423)
        api.done(made)
        api.done(api.call("DELETE", f"{project}/branches/{branch_id}"))


class TestDefault:
    def test_there_is_one_default_branch(self, api, project, main, leaf):
        """Another default branch takes the place of the old one."""
        api.call("POST", f"{project}/branches/{leaf}/set_as_default")
        try:
            listed = api.call("GET", f"{project}/branches")["branches"]
            assert [each["id"] for each in listed if each["default"]] == [leaf]
        finally:
            api.call("POST", f"{project}/branches/{main}/set_as_default")
