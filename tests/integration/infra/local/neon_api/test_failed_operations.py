"""Operations that fail: what they were to change is as it was, and nothing of them is left."""

from __future__ import annotations

import os
import time

import psycopg
import pytest

from infra.local.home import Home
from infra.local.own_folder import folder


def rows(uri, statement):
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def uri_of(made):
    return made["connection_uris"][0]["connection_uri"]


def failed(api, answer):
    """Wait until the first operation of an answer has failed; return why."""
    (first, *_) = answer["operations"]
    path = f"/projects/{first['project_id']}/operations/{first['id']}"
    deadline = time.monotonic() + 60
    while (now := api.call("GET", path)["operation"])["status"] in ("scheduling", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert now["status"] == "failed"
    return now["error"]


def places(api):
    """Return the folders that branches have, and those that their servers' files lie in."""
    own = folder(api.root) / "neon" / "branches"
    return {path.name for path in own.iterdir()}, {Home.of(mark.parent).path for mark in own.rglob("mark")}


@pytest.fixture(scope="module")
def uncopyable(api, project):
    """The id of a branch that cannot be copied, for a tablespace that it has."""
    made = api.new_branch(project.rpartition("/")[2], "uncopyable", compute=True)
    home = Home.of(folder(api.root) / "neon" / "branches" / made["branch"]["id"] / "postgres")
    elsewhere = home.path / "elsewhere"
    elsewhere.mkdir()
    if home.account:
        os.chown(elsewhere, home.account.pw_uid, home.account.pw_gid)
    superuser = {"user": "postgres", "password": (home.path / "superuser").read_text()}
    with psycopg.connect(uri_of(made), **superuser, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE elsewhere LOCATION '{elsewhere}'")
    yield made["branch"]["id"]
    api.done(api.call("DELETE", f"{project}/branches/{made['branch']['id']}", hard_delete=True))


@pytest.fixture(scope="module")
def branch(api, project):
    """A branch with a table of its own, and what the API said of it."""
    made = api.new_branch(project.rpartition("/")[2], "serves-on", compute=True)
    rows(uri_of(made), "CREATE TABLE kept AS SELECT 7 AS i")
    return made


class TestCreate:
    def test_branch_that_could_not_be_made_is_not_there(self, api, project, uncopyable):
        """Its name is free for the next try, and it leaves no file."""
        before = places(api)
        body = {"branch": {"name": "never", "parent_id": uncopyable}, "endpoints": [{"type": "read_write"}]}
        made = api.call("POST", f"{project}/branches", body)
        assert "tablespaces" in failed(api, made)
        path = f"{project}/branches/{made['branch']['id']}"
        api.call("GET", path, status=404)
        api.call("GET", f"{project}/endpoints/{made['endpoints'][0]['id']}", status=404)
        assert places(api) == before
        body["branch"].pop("parent_id")
        made = api.done(api.call("POST", f"{project}/branches", body))
        assert rows(uri_of(made), "SELECT 1") == [(1,)]
        api.done(api.call("DELETE", f"{project}/branches/{made['branch']['id']}", hard_delete=True))


class TestRestore:
    @pytest.mark.parametrize("preserved", [{}, {"preserve_under_name": "unkept"}])
    def test_branch_whose_restore_failed_serves_what_it_had(
        self, api, project, branch, uncopyable, preserved
    ):
        """Also where its present was to be kept: no connection is cut, and no other branch appears."""
        path, before = f"{project}/branches/{branch['branch']['id']}", places(api)
        with psycopg.connect(uri_of(branch)) as connection:
            answer = api.call("POST", f"{path}/restore", {"source_branch_id": uncopyable, **preserved})
            assert "tablespaces" in failed(api, answer)
            assert connection.execute("SELECT i FROM kept").fetchall() == [(7,)]
        assert api.call("GET", path)["branch"]["current_state"] == "ready"
        assert api.call("GET", f"{project}/branches/count", search="unkept") == {"count": 0}
        assert places(api) == before

    def test_reset_leaves_no_file(self, api, project, main, branch):
        """What the branch had is deleted, and so is the place that the copy was made in."""
        before = places(api)
        answer = api.call(
            "POST", f"{project}/branches/{branch['branch']['id']}/restore", {"source_branch_id": main}
        )
        api.done(answer)
        assert rows(uri_of(branch), "SELECT to_regclass('kept')") == [(None,)]
        assert places(api) == before
