"""Output formats: data on stdout as it is, errors on stderr as text or JSON."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime

import pytest
import typer
import yaml

from api.database.connection_url import DirectUrl
from infra.branches.errors import BranchBusyError
from scripts import output
from scripts.output import OutputFormat

RECORD = {"id": "br-1", "protected": True, "expires_at": datetime(2026, 12, 1, tzinfo=UTC), "parent_id": None}
LONG = {**RECORD, "id": "x" * 300}


class TestShow:
    """`show`: one record."""

    def test_table_cuts_nothing(self, capsys) -> None:
        """However narrow the terminal; absent values are dashes."""
        output.show(LONG, OutputFormat.TABLE)
        assert capsys.readouterr().out.splitlines() == [
            f"id          {'x' * 300}",
            "protected   yes",
            "expires_at  2026-12-01T00:00:00Z",
            "parent_id   -",
        ]

    def test_table_joins_lists(self, capsys) -> None:
        """As people write them; one of nothing is a dash."""
        output.show({"applied": ["one", "two"], "held_back": []}, OutputFormat.TABLE)
        assert capsys.readouterr().out == "applied    one, two\nheld_back  -\n"

    def test_json_and_yaml_say_the_same(self, capsys) -> None:
        """Times in RFC 3339's form, booleans and nulls as such."""
        output.show(RECORD, OutputFormat.JSON)
        from_json = json.loads(capsys.readouterr().out)
        output.show(RECORD, OutputFormat.YAML)
        assert yaml.load(capsys.readouterr().out, yaml.BaseLoader)["id"] == "br-1"
        assert from_json == {**RECORD, "expires_at": "2026-12-01T00:00:00+00:00"}

    def test_env_survives_a_shell(self, capsys) -> None:
        """`eval` gives back what was shown, whatever the value holds."""
        value = "postgresql://a:b@h/d?x=1&y=$HOME `id` 'q' \"z\""
        output.show({}, OutputFormat.ENV, variables={"DATABASE_URL": value})
        line = capsys.readouterr().out
        done = subprocess.run(
            ["sh", "-c", f'{line}printf %s "$DATABASE_URL"'], capture_output=True, text=True, check=True
        )
        assert done.stdout == value

    def test_env_quotes_only_what_a_shell_would_not_take(self, capsys) -> None:
        """Docker's `--env-file` takes quotes for a part of the value."""
        url = "postgresql://a:b-_@127.0.0.1:5432/app?sslmode=disable"
        output.show({}, OutputFormat.ENV, variables={"DATABASE_URL": url})
        assert capsys.readouterr().out == f"DATABASE_URL={url}\n"

    def test_terminal_is_not_moved(self, capsys) -> None:
        """Branches are named by whoever may make one; JSON has the name as it is."""
        output.show({"name": "a\x1b[2Jb\u202e"}, OutputFormat.TABLE)
        output.say("→ branch a\x1b[2J\u202e")
        assert capsys.readouterr() == ("name  a\\x1b[2Jb\\u202e\n", "→ branch a\\x1b[2J\\u202e\n")
        output.show({"name": "a\x1b"}, OutputFormat.JSON)
        assert json.loads(capsys.readouterr().out) == {"name": "a\x1b"}

    def test_env_names_keys_in_capitals(self, capsys) -> None:
        """What is absent is left out."""
        output.show({"head": "a", "size-mb": 3, "parent": None}, OutputFormat.ENV)
        assert capsys.readouterr().out == "HEAD=a\nSIZE_MB=3\n"


class TestShowRows:
    """`show_rows`: a list."""

    def test_columns_are_aligned(self, capsys) -> None:
        """No line ends in spaces."""
        rows = [{"name": "main", "id": "br-1"}, {"name": "a-longer-name", "id": "br-2"}]
        output.show_rows(rows, OutputFormat.TABLE, columns={"name": "NAME", "id": "ID"})
        assert capsys.readouterr().out == "NAME           ID\nmain           br-1\na-longer-name  br-2\n"

    def test_empty_list_is_still_json(self, capsys) -> None:
        """A program needs no special case."""
        output.show_rows([], OutputFormat.JSON, columns={"name": "NAME"})
        assert json.loads(capsys.readouterr().out) == []

    def test_env_is_refused(self) -> None:
        """One variable cannot hold a list."""
        with pytest.raises(typer.BadParameter, match="cannot be shown as variables"):
            output.show_rows([], OutputFormat.ENV, columns={"name": "NAME"})


class TestShowText:
    """`show_text`: data that is text already."""

    def test_text_stays_as_it_is(self, capsys) -> None:
        """Tabs, brackets and long lines: what psql or patch is to read."""
        text = "-\tCREATE TABLE [red]a[/red]" + " x" * 200
        output.show_text(text)
        assert capsys.readouterr().out == f"{text}\n"


class TestShowError:
    """`show_error`: what failed, and what to do."""

    @pytest.mark.parametrize(
        ("arguments", "variable"),
        [
            (["branch", "get", "-o", "json"], None),
            (["branch", "get", "-ojson"], "yaml"),
            (["branch", "get", "-o", "yaml", "--output=json", "--nonsense"], None),
            (["branch", "get"], "json"),
        ],
    )
    def test_json_has_code_message_hint_and_whether_to_retry(
        self, arguments: list[str], variable: str | None, capsys, monkeypatch
    ) -> None:
        """One line on stderr, by `-o json` or BOUGH_OUTPUT, though nothing has read the options yet."""
        monkeypatch.delenv("BOUGH_OUTPUT", raising=False)
        if variable:
            monkeypatch.setenv("BOUGH_OUTPUT", variable)
        output.begin(arguments)
        output.show_error(BranchBusyError("busy", hint="wait"))
        out, err = capsys.readouterr()
        expected = {"code": "BRANCH_BUSY", "message": "busy", "hint": "wait", "retryable": True}
        assert json.loads(err) == {"error": expected}
        assert out == ""

    @pytest.mark.parametrize("arguments", [["-o", "table"], ["run", "--", "program", "-o", "json"], []])
    def test_text_is_the_default(self, arguments: list[str], capsys, monkeypatch) -> None:
        """Options of a command that is only passed on say nothing to us."""
        monkeypatch.delenv("BOUGH_OUTPUT", raising=False)
        output.begin(arguments)
        output.show_error(BranchBusyError("busy", hint="wait"))
        assert capsys.readouterr().err == "error[BRANCH_BUSY]: busy\nhint: wait\n"


class TestMaskedInLog:
    """`masked_in_log`: passwords in GitHub Actions' log."""

    def test_is_said_on_stderr_in_actions_only(self, capsys, monkeypatch) -> None:
        """Stdout may be what `$(…)` captures."""
        url = DirectUrl.parse("postgresql://u:s3cret@127.0.0.1:5432/app")
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        assert output.masked_in_log(url) == url.libpq()
        assert capsys.readouterr() == ("", "")
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        output.masked_in_log(url)
        assert capsys.readouterr() == ("", f"::add-mask::{url.libpq()}\n::add-mask::s3cret\n")
