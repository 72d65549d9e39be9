"""`bough branch` on real local branches: what is said where, what is refused, exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import yaml

FIELDS = {
    "id": str,
    "name": str,
    "provider": str,
    "project_id": str,
    "parent_id": str,
    "state": str,
    "default": bool,
    "protected": bool,
    "created_at": str,
    "expires_at": str,
}


class TestList:
    """`bough branch list`."""

    def test_json_has_the_documented_fields(self, on_branches) -> None:
        """Names and types are a contract; stderr stays silent."""
        code, out, err = on_branches("branch", "list", "-o", "json")
        rows = {row["name"]: row for row in json.loads(out)}
        assert (code, err) == (0, "")
        assert {"main", "dev"} <= rows.keys()
        for row in rows.values():
            assert list(row) == list(FIELDS)
            assert all(value is None or isinstance(value, FIELDS[key]) for key, value in row.items())
        assert rows["main"]["default"]
        assert rows["dev"]["parent_id"] == rows["main"]["id"]
        assert datetime.fromisoformat(rows["dev"]["created_at"]).tzinfo is not None

    def test_table_names_parents(self, on_branches) -> None:
        """People read names; `branches` is the same command."""
        _, out, _ = on_branches("branches", "list")
        heading, *lines = out.splitlines()
        assert heading.split() == [
            "NAME",
            "ID",
            "PARENT",
            "STATE",
            "DEFAULT",
            "PROTECTED",
            "CREATED",
            "EXPIRES",
        ]
        assert next(line.split()[2] for line in lines if line.startswith("dev ")) == "main"

    def test_missing_token_exits_4(self, on_branches) -> None:
        """With the variable to set."""
        code, out, err = on_branches("branch", "list", "--provider", "neon", "--project", "p")
        assert (code, out) == (4, "")
        assert err == (
            "error[PROVIDER_AUTH]: there is no token for Neon\n"
            "hint: set NEON_API_KEY, or pipe it in with --token-stdin\n"
        )


class TestGet:
    """`bough branch get`."""

    def test_formats_agree(self, on_branches) -> None:
        """JSON by variable, YAML by option, and variables that pin it."""
        branch = json.loads(on_branches("branch", "get", "dev", BOUGH_OUTPUT="json")[1])
        assert yaml.safe_load(on_branches("branch", "get", branch["id"], "-o", "yaml")[1]) == branch
        lines = on_branches("branch", "get", "dev", "-o", "env")[1]
        assert lines == f"BOUGH_PROVIDER=local\nBOUGH_BRANCH={branch['id']}\n"

    def test_pinned_branch_needs_no_name(self, on_branches) -> None:
        """By variable; an argument has the last word."""
        assert json.loads(on_branches("branch", "get", "-o", "json", BOUGH_BRANCH="dev")[1])["name"] == "dev"
        out = on_branches("branch", "get", "main", "-o", "json", BOUGH_BRANCH="dev")[1]
        assert json.loads(out)["name"] == "main"

    @pytest.mark.parametrize("environment", [{}, {"BOUGH_BRANCH": ""}])
    def test_no_name_is_never_production(self, on_branches, environment: dict[str, str]) -> None:
        """Nothing pinned, or a variable that is set to nothing."""
        code, out, err = on_branches("branch", "get", **environment)
        assert (code, out) == (2, "")
        assert err.startswith("error[BRANCH_NAME_MISSING]")

    def test_unknown_name_is_told_as_json_too(self, on_branches) -> None:
        """The last line of stderr, with the nearest name."""
        code, out, err = on_branches("branch", "get", "dve", "-o", "json")
        error = json.loads(err.splitlines()[-1])["error"]
        assert (code, out) == (1, "")
        assert error == {
            "code": "BRANCH_NOT_FOUND",
            "message": "there is no branch 'dve'",
            "hint": "did you mean dev?",
            "retryable": False,
        }


class TestUrl:
    """`bough branch url`."""

    @pytest.mark.parametrize(
        ("arguments", "role", "variable"),
        [((), "bough_app", "DATABASE_URL"), (("--direct",), "bough_owner", "DATABASE_URL_UNPOOLED")],
    )
    def test_prints_what_connects(self, on_branches, arguments, role: str, variable: str) -> None:
        """Requests and migrations by default; the URL alone is on stdout, and its password there only."""
        code, out, err = on_branches("branch", "url", "dev", *arguments)
        with psycopg.connect(out.strip()) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
            assert connection.info.password not in err
        assert code == 0
        assert on_branches("branch", "url", "dev", *arguments, "-o", "env")[1] == f"{variable}={out}"

    def test_role_can_be_chosen(self, on_branches) -> None:
        """The owner through the pooler."""
        record = json.loads(on_branches("branch", "url", "dev", "--role", "owner", "-o", "json")[1])
        assert {key: record[key] for key in ("kind", "role", "branch_name")} == {
            "kind": "pooled",
            "role": "owner",
            "branch_name": "dev",
        }
        assert record["url"].startswith("postgresql://bough_owner:")

    def test_actions_are_told_to_hide_it(self, on_branches) -> None:
        """On stderr, before anything else could show it."""
        _, out, err = on_branches("branch", "url", "dev", GITHUB_ACTIONS="true")
        password = out.split(":")[2].partition("@")[0]
        assert f"::add-mask::{out}" in err
        assert f"::add-mask::{password}\n" in err


class TestCreate:
    """`bough branch create`."""

    def test_says_which_branch_before_it_is_there(self, on_branches, branch_project) -> None:
        """A second time it is the same one; the record alone is on stdout."""
        branch = json.loads(on_branches("branch", "get", "dev", "-o", "json")[1])
        code, out, err = on_branches("branch", "create", "dev", "-o", "json")
        assert (code, json.loads(out)) == (0, branch)
        assert err.splitlines() == [
            f"→ new branch dev of project {branch_project.project_id} on this machine",
            f"dev ({branch['id']}) is ready",
        ]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("",),
            ("x", "--parent", ""),
            ("x", "--expires", "soon"),
            ("x", "--cu", "0.1"),
            ("x", "--cu", "2-1"),
            ("x", "--suspend-after", "5"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, on_branches, arguments) -> None:
        """A usage error, before anything is sent."""
        assert on_branches("branch", "create", *arguments)[:2] == (2, "")


class TestDiffAndReset:
    """`bough branch diff` and `reset`."""

    def test_difference_exits_3_and_is_gone_after_a_reset(self, on_branches) -> None:
        """`git diff` and `terraform plan` have it so."""
        url = on_branches("branch", "url", "dev", "--direct")[1].strip()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        code, out, _ = on_branches("branch", "diff", "dev", "--exit-code")
        assert code == 3
        assert "+CREATE TABLE public.only_here" in out

        code, out, err = on_branches("branch", "reset", "dev", "-o", "json")
        assert (code, out) == (2, "")
        assert json.loads(err.splitlines()[-1])["error"]["code"] == "CONFIRMATION_NEEDED"

        code, _, err = on_branches("branch", "reset", "dev", "--yes")
        assert code == 0
        assert err.startswith("→ branch dev (br-")
        assert on_branches("branch", "diff", "main", "dev", "--exit-code")[:2] == (0, "")


class TestDelete:
    """`bough branch delete`."""

    def test_shows_what_was_deleted(self, on_branches, branch_project) -> None:
        """By id; afterwards it is not found."""
        branch_id = branch_project.api.new_branch(branch_project.project_id, "gone")["branch"]["id"]
        code, out, err = on_branches("branch", "delete", branch_id, "--yes", "-o", "json")
        assert (code, json.loads(out)["name"]) == (0, "gone")
        assert err.splitlines()[-1] == "gone is deleted"
        assert on_branches("branch", "get", "gone")[0] == 1


class TestExpire:
    """`bough branch expire`, and `create --expires`."""

    def test_length_is_counted_from_the_last_run(self, on_branches, branch_project) -> None:
        """A second `create --expires 7d` moves the expiry; `never` takes it away."""
        create = ("branch", "create", "dev", "--expires")
        assert on_branches("branch", "expire", "dev", "2h")[0] == 0
        branch = json.loads(on_branches(*create, "7d", "-o", "json")[1])
        left = datetime.fromisoformat(branch["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
        other = (datetime.now(UTC) + timedelta(days=20)).isoformat()
        code, _, err = on_branches(*create, other, **branch_project.as_neon)
        assert code == 1
        assert "error[BRANCH_DIFFERS]" in err
        assert (
            json.loads(on_branches("branch", "expire", "dev", "never", "-o", "json")[1])["expires_at"] is None
        )

    def test_time_that_is_none_is_refused_before_anything(self, on_branches) -> None:
        """A usage error."""
        assert on_branches("branch", "expire", "dev", "soon")[0] == 2


class TestGuards:
    """What is too dear."""

    @pytest.mark.parametrize(
        "command",
        [("reset", "--yes"), ("delete", "--yes"), ("restore", "--at", "5m", "--yes"), ("expire", "2h")],
    )
    def test_default_branch_is_refused(self, on_branches, command) -> None:
        """Even with `--yes`; the hint names the flag where there is one."""
        verb, *options = command
        code, out, err = on_branches("branch", verb, "main", *options)
        assert (code, out) == (1, "")
        assert "error[BRANCH_PROTECTED]" in err
        assert ("--allow-default" in err) == (verb in {"reset", "restore"})

    def test_protected_branch_is_changed_with_the_flag(self, on_branches) -> None:
        """And is protected again, also when it could not be done; a deleted one is gone."""
        assert on_branches("branch", "create", "dear", "--protected")[0] == 0
        allowed = ("dear", "--yes", "--allow-protected", "-o", "json")
        code, out, err = on_branches("branch", "reset", *allowed)
        assert code == 0, err
        assert json.loads(out)["protected"]
        assert on_branches("branch", "restore", *allowed, "--at", "520w")[0] == 1
        assert json.loads(on_branches("branch", "get", "dear", "-o", "json")[1])["protected"]
        assert on_branches("branch", "expire", "dear", "2h")[0] == 1
        assert on_branches("branch", "delete", *allowed)[0] == 0
        assert on_branches("branch", "get", "dear")[0] == 1

    def test_protected_branch_is_refused_until_it_is_no_longer(self, on_branches) -> None:
        """`protect` and `protect --off`."""
        assert json.loads(on_branches("branch", "protect", "dev", "-o", "json")[1])["protected"]
        code, _, err = on_branches("branch", "delete", "dev", "--yes")
        assert code == 1
        assert "--allow-protected" in err
        out = on_branches("branch", "protect", "dev", "--off", "-o", "json")[1]
        assert not json.loads(out)["protected"]


class TestSweep:
    """`bough branch sweep`."""

    def test_shows_what_would_go_and_why(self, on_branches) -> None:
        """A dry run; nothing here is a pull request's."""
        code, out, err = on_branches("branch", "sweep", "--open-pull-requests", "12", "-o", "json")
        assert code == 0
        assert {row["name"]: row["action"] for row in json.loads(out)} == {"main": "keep", "dev": "keep"}
        assert err == "Nothing was deleted; --delete would delete 0 of 2 branches\n"

    def test_unknown_pull_requests_fail(self, on_branches, monkeypatch) -> None:
        """Neither GitHub nor a list says which are open."""
        for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"):
            monkeypatch.delenv(name, raising=False)
        code, out, err = on_branches("branch", "sweep", "--delete")
        assert (code, out) == (1, "")
        assert "GITHUB_TOKEN and GITHUB_REPOSITORY not set" in err


class TestAdopt:
    """`bough branch adopt`."""

    def test_says_what_the_database_says_already(self, on_branches) -> None:
        """Local branches need no mark."""
        code, out, err = on_branches("branch", "adopt", "dev", "-o", "json")
        assert (code, json.loads(out)["changed"]) == (0, False)
        assert "It is dev (br-" in err
