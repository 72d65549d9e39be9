"""`docs/reference/` says what the code does now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import reference

ROOT = Path(__file__).parents[3]


class TestReference:
    @pytest.mark.parametrize("name", ["commands.md", "settings.md", "openapi.json"])
    def test_page_is_fresh(self, name):
        """A generated page equals what `make docs` would write now."""
        assert (ROOT / "docs" / "reference" / name).read_text() == reference.pages()[name], "run: make docs"

    def test_every_command_has_help(self):
        """No command and no option is without a sentence."""
        text = reference.pages()["commands.md"]
        assert not re.findall(r"^## `(.*)`\n\n\n", text, re.MULTILINE)
        assert not re.findall(r"^\| ([^|]*) \|  \|", text, re.MULTILINE)

    def test_no_help_is_taken_for_markup(self):
        """On a terminal `[tool.bough]` would be left out of a sentence."""
        assert not re.findall(r"^\|.*\[[a-z]", reference.pages()["commands.md"], re.MULTILINE)
