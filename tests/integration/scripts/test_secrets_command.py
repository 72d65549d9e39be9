"""`bough secrets`, on an AWS of this machine."""

from __future__ import annotations

import io
import json
import secrets as random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account

VALUE = "sk_live_never-shown"


@pytest.fixture
def bough(account: Account, on_branches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `bough secrets` in a new project with a text on stdin; return exit code, stdout, stderr."""
    service = f"s{random.token_hex(4)}"
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{service}"\n[tool.bough]\n')
    monkeypatch.chdir(tmp_path)
    environment = {key: value for key, value in account.environment().items() if key != "AWS_SESSION_TOKEN"}

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return on_branches("secrets", *arguments, **environment)

    return run


class TestSecrets:
    """`set`, `list` and `rotate auth`."""

    def test_values_go_in_and_never_out(self, bough) -> None:
        """One newline at the end is no part; who reads it and the version are shown."""
        code, out, err = bough("set", "STRIPE_KEY", stdin=f"{VALUE}\n")
        assert (code, out) == (0, "")
        assert "✓ STRIPE_KEY of the function api has version 1" in err
        assert "STRIPE_KEY_PARAMETER" in err
        code, out, _ = bough("list", "-o", "json")
        (row,) = json.loads(out)
        assert (row["name"], row["function"], row["version"]) == ("STRIPE_KEY", "api", 1)
        assert row["parameter"].endswith("/production/api/STRIPE_KEY")
        assert VALUE not in out + err

    @pytest.mark.parametrize(
        ("arguments", "stdin", "said"),
        [
            (("STRIPE_KEY",), "\n", "the value of STRIPE_KEY is empty"),
            (("AUTH_SECRET",), "hunter2", "AUTH_SECRET needs at least 32 characters"),
            (("AUTH_SECRET",), "hunter2" * 2 + "changeme" * 4, "AUTH_SECRET is a placeholder"),
            (("AUTH_SECRET",), '{"keys": "hunter2"}', "is no list of keys"),
            (("stripe",), "x", "'stripe' is no variable's name"),
            (("STRIPE_KEY_PARAMETER",), "x", "names a parameter, and holds no secret"),
            (("STRIPE_KEY",), "\udcffhunter2", "is no text in UTF-8"),
            (("DATABASE_URL_UNPOOLED",), "x", "is for the function migrate, not api"),
            (("DATABASE_URL", "--function", "migrate"), "x", "is for the function api, not migrate"),
            (("DATABASE_URL",), "postgresql://u:hunter2@ep-a-1.us-east-2.aws.neon.tech/db", "pooler"),
            (
                ("DATABASE_URL_UNPOOLED", "--function", "migrate"),
                "postgresql://u:hunter2@ep-a-1-pooler.us-east-2.aws.neon.tech/db",
                "direct",
            ),
            (("DATABASE_URL",), "postgresql://u:hunter2@127.0.0.1:1/db", "cannot be logged in to"),
        ],
    )
    def test_refuses_what_could_not_work(
        self, bough, arguments: tuple[str, ...], stdin: str, said: str
    ) -> None:
        """Before AWS is asked, and the password is not shown."""
        code, _, err = bough("set", *arguments, stdin=stdin)
        assert (code, "→ stage" in err) == (2, False)
        assert said in err
        assert "hunter2" not in err

    def test_rotates_the_key_of_tokens(self, bough) -> None:
        """The first one signs at once, and ends the tokens of a lost one only where somebody says so."""
        assert bough("rotate", "auth", "--now")[0] == 2
        assert "✓ the new key signs, and is the only one" in bough("rotate", "auth")[2]
        assert "the new key signs from" in bough("rotate", "auth")[2]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("auth", "--finish"),
            ("auth", "--dry-run"),
            ("database", "--now"),
            ("database", "--finish", "--dry-run"),
        ],
    )
    def test_refuses_options_that_do_not_fit(self, bough, arguments: tuple[str, ...]) -> None:
        """Before anybody is asked."""
        code, _, err = bough("rotate", *arguments)
        assert (code, "→ stage" in err) == (2, False)

    @pytest.mark.prove
    def test_a_rotation_needs_something_to_rotate(self, bough) -> None:
        """And says how it comes there."""
        code, _, err = bough("rotate", "database", "--url", "postgresql://o@127.0.0.1:1/db")
        assert code == 3
        assert "hint: bough secrets set DATABASE_URL" in err
