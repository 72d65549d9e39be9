"""The guides' code runs, and prints what they say."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.people import People

if TYPE_CHECKING:
    import pytest

    from infra.testing.databases import Database

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class TestScriptsAndNotebooks:
    def test_code_prints_what_the_guide_says(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cell after cell in one namespace, as in a notebook."""
        monkeypatch.setenv("DATABASE_URL_UNPOOLED", database.direct.libpq())
        for name in ("ada", "bob", "cyd"):
            People(database).add(name)
        printed, said, names = io.StringIO(), "", {}
        for kind, text in BLOCK.findall((GUIDES / "scripts_and_notebooks.md").read_text()):
            if kind == "text":
                said += text
            else:
                with redirect_stdout(printed):
                    exec(text, names)
        assert printed.getvalue() == said != ""
        assert People(database).query("SELECT username FROM users WHERE NOT is_active") == [("ada",)]
