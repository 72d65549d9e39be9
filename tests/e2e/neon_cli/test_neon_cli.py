"""The commands of Neon's own CLI against the local control plane, compared by what they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

pytestmark = pytest.mark.prove


def fruit(connection_string):
    with psycopg.connect(connection_string) as connection:
        return connection.execute("SELECT name FROM fruit").fetchall()


class TestBranches:
    def test_create_gives_a_branch_with_data_and_a_way_in(self, neon, clients):
        """The connection string that it prints works at once, though the CLI waits for nothing."""
        made = clients.neon("branches", "create", "--name", "created", "--parent", "main")
        assert made["branch"]["name"] == "created"
        assert made["branch"]["parent_id"] == neon.main
        (uri,) = made["connection_uris"]
        assert fruit(uri["connection_uri"]) == [("apple",)]
        deleted = clients.neon("branches", "delete", "created")
        assert deleted["id"] == made["branch"]["id"]
        assert [each["name"] for each in clients.neon("branches", "list")] == ["main"]

    def test_schema_diff_shows_what_reset_takes_back(self, neon, clients):
        """The diff is of the two schemas as they are; the reset keeps the branch and its URL."""
        with neon.branch("changed") as branch_id:
            uri = neon.uri(branch_id)
            neon.run(branch_id, "ALTER TABLE fruit ADD colour text")
            diff = clients.neon_text("branches", "schema-diff", "main", "changed")
            added = [line for line in diff.splitlines() if line.startswith("+") and "colour" in line]
            assert len(added) == 1
            reset = clients.neon("branches", "reset", "changed", "--parent")
            assert reset["id"] == branch_id
            assert reset["last_reset_at"] is not None
            assert neon.run(branch_id, "SELECT * FROM fruit") == [("apple",)]
            assert neon.uri(branch_id) == uri

    def test_connection_string_is_one_that_works(self, neon, clients):
        """Without TLS, which the local servers lack."""
        uri = clients.neon_text("connection-string", "main", "--ssl", "omit").strip()
        assert fruit(uri) == [("apple",)]
        assert neon.uri(neon.main).startswith(uri)


class TestEveryCommand:
    def test_lists(self, neon, clients):
        """Projects, roles, databases and operations are listed as Neon lists them."""
        projects = clients.neon("projects", "list")
        assert [each["id"] for each in projects["projects"]] == [neon.project_id]
        assert projects["shared_with_you"] == []
        assert [each["name"] for each in clients.neon("roles", "list")] == ["bough_owner"]
        (database,) = clients.neon("databases", "list", "--branch", "main")
        assert (database["name"], database["owner_name"]) == ("app", "bough_owner")
        operations = clients.neon("operations", "list")
        assert {each["status"] for each in operations} == {"finished"}
        assert "start_compute" in {each["action"] for each in operations}

    def test_get_of_an_unknown_name_lists_what_there_is(self, neon, clients):
        """The CLI's own words, from our list of branches."""
        missing = clients.run_neon("branches", "get", "mian")
        assert missing.returncode == 1
        assert "Branch mian not found.\nAvailable branches: main" in missing.stderr

    def test_connection_string_pooled_is_the_direct_one(self, neon, clients):
        """The CLI makes Neon's pooled host names itself, and knows no pooled port: it still connects."""
        uri = clients.neon_text("connection-string", "main", "--ssl", "omit", "--pooled").strip()
        assert fruit(uri) == [("apple",)]

    def test_projects_is_found_without_being_named(self, neon, clients):
        """With one project, `--project-id` is not needed."""
        clients._project_id = ""
        listed = clients.neon("branches", "list")
        assert [each["id"] for each in listed] == [neon.main]

    def test_branches_create_by_id_with_expiry_and_without_data(self, neon, clients):
        """A schema-only branch is a root and has no rows."""
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
        made = clients.neon(
            *("branches", "create", "--name", "empty", "--parent", neon.main, "--schema-only"),
            *("--expires-at", tomorrow.isoformat()),
        )
        assert datetime.fromisoformat(made["branch"]["expires_at"]) == tomorrow
        assert made["branch"]["init_source"] == "schema-only"
        assert fruit(made["connection_uris"][0]["connection_uri"]) == []
        assert clients.neon("branches", "get", made["branch"]["id"])["name"] == "empty"
        neon.delete("empty")

    def test_branches_rename_set_expiration_and_set_default(self, neon, clients):
        """What was changed is what the API says afterwards."""
        with neon.branch("plain") as branch_id:
            assert clients.neon("branches", "rename", "plain", "fancy")["name"] == "fancy"
            soon = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
            expiring = clients.neon("branches", "set-expiration", "fancy", "--expires-at", soon)
            assert expiring["expires_at"] == soon
            lasting = clients.neon("branches", "set-expiration", "fancy")
            assert lasting.get("expires_at") is None
            assert clients.neon("branches", "set-default", "fancy")["default"] is True
            assert neon.call("GET", f"/branches/{neon.main}")["branch"]["default"] is False
            assert clients.neon("branches", "set-default", neon.main)["id"] == neon.main
            neon.call("PATCH", f"/branches/{branch_id}", {"branch": {"name": "plain"}})

    def test_branches_restore_to_another_branch_keeps_the_old_state(self, neon, clients):
        """The branch is what its source is, and what it was lives on under the given name."""
        with neon.branch("restored") as branch_id:
            neon.run(branch_id, "INSERT INTO fruit VALUES ('banana')")
            done = clients.neon("branches", "restore", "restored", "main", "--preserve-under-name", "before")
            assert done["restored_branch"]["id"] == branch_id
            assert neon.run(branch_id, "SELECT * FROM fruit") == [("apple",)]
            (before,) = neon.call("GET", "/branches", search="before")["branches"]
            neon.call("POST", "/endpoints", {"endpoint": {"branch_id": before["id"], "type": "read_write"}})
            assert len(neon.run(before["id"], "SELECT * FROM fruit")) == 2
        neon.delete("before")

    def test_branches_restore_to_the_past_is_refused_in_neon_s_words(self, neon, clients):
        """Nothing of the past is kept here; the CLI shows what the API says."""
        with neon.branch("young"):
            past = "2026-01-01T00:00:00Z"
            refused = clients.run_neon(
                *("branches", "restore", "young", f"^self@{past}", "--preserve-under-name", "old")
            )
            assert refused.returncode == 1
            assert refused.stderr.splitlines()[-1].startswith("ERROR: ")
