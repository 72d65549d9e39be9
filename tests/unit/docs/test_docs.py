"""The documentation is part of the product: links lead somewhere, decisions say what they must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_relative_links_lead_to_files(self, page):
        """Every relative link of a page names a file that exists."""
        links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_named_source_files_exist(self, page):
        """A page that names one of our source files names one that exists."""
        named = re.findall(r"`((?:api|infra|migrations|scripts|tests|docs)/[\w/.-]+\.\w+)`", page.read_text())
        generated = {"api/build.py"}  # by `bough package`, inside the artifact
        assert [name for name in named if not (ROOT / name).exists() and name not in generated] == []

    def test_code_refers_to_existing_documents(self):
        """A docstring that names a document of ours names one that exists."""
        named = {
            match
            for folder in ("api", "infra", "migrations", "scripts")
            for path in (ROOT / folder).rglob("*.py")
            for match in re.findall(r"docs/[a-z]+/[\w-]+\.md", path.read_text())
        }
        assert named
        assert sorted(name for name in named if not (ROOT / name).exists()) == []


class TestDecisions:
    @pytest.mark.parametrize("page", DECISIONS, ids=lambda path: path.stem)
    def test_decision_has_its_three_parts(self, page):
        """A decision says its context, what was decided and what follows."""
        headings = re.findall(r"^## (\w+)", page.read_text(), re.MULTILINE)
        assert headings[:3] == ["Context", "Decision", "Consequences"]

    def test_decisions_are_numbered_without_gaps(self):
        """Numbers are given once each, in order."""
        assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


class TestHouse:
    def test_no_secret_and_no_home_folder_is_committed(self):
        """No tracked text file holds a private key, a token's shape or a path of somebody's machine."""
        tracked = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        secret = r"BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|napi_[a-z0-9]{20}|/home/[a-z]+/|/Users/[a-z]+/"
        own = Path(__file__).relative_to(ROOT)
        texts = {name: (ROOT / name).read_text(errors="replace") for name in tracked if name != str(own)}
        assert [name for name, text in texts.items() if re.search(secret, text)] == []
