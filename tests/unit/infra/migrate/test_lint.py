"""What the linter says of a migration, and what it lets be."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.migrate.errors import GitBranchUnknownError, UnknownRevisionError
from infra.migrate.findings import Verdict, worst
from infra.migrate.lint import RULES, lint, lint_since
from infra.migrate.linting import revision_rules, statement_rules
from tests.support.histories import History, empty_history
from tests.support.linted import CASES, TABLES, Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.migrate.findings import Finding

UNDO = "op.execute('SELECT 1')"
INDEX = "op.create_index('ix', 'big', ['v'])"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """The findings of every case, as if all before it were applied."""
    with empty_history(tmp_path_factory.mktemp("linted")) as history:
        history.write("tables", None, TABLES, UNDO)
        down = "tables"
        for case in CASES:
            # A contract at the tail of each other would be another finding.
            history.write(case.name, down, case.upgrade, case.downgrade, case.phase)
            down = case.name
        findings: dict[str, list[Finding]] = {case.name: [] for case in CASES}
        for finding in lint(history.project, None):
            if finding.revision != "tables" and finding.rule != "expand-after-contract":
                findings[finding.revision].append(finding)
        return findings


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A project with the tables."""
    with empty_history(tmp_path) as project:
        project.write("tables", None, TABLES, UNDO)
        yield project


def rules(findings: tuple[Finding, ...]) -> list[str]:
    """Return the rules in order."""
    return [finding.rule for finding in findings]


class TestRules:
    """What each rule finds."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_finds(self, found: dict[str, list[Finding]], case: Case) -> None:
        """The rules that mean this danger, and no other."""
        assert tuple(finding.rule for finding in found[case.name]) == case.rules

    def test_are_all_tried(self) -> None:
        """A case for each of the kit's own rules."""
        tried = {rule for case in CASES for rule in case.rules}
        assert tried <= set(RULES)
        assert {*statement_rules.RULES, *revision_rules.RULES} <= tried

    def test_say_line_and_table(self, found: dict[str, list[Finding]]) -> None:
        """The line is that of the statement in the revision's file."""
        (finding,) = found["two_tables"]
        assert (
            finding.path.read_text()
            .splitlines()[finding.line - 1]
            .strip()
            .startswith("op.execute('ALTER TABLE o")
        )
        assert finding.message == "waits for other while it keeps big from everybody"


class TestLint:
    """`lint`."""

    def test_lets_new_tables_be(self, history: History) -> None:
        """What pending revisions make themselves, nobody uses yet."""
        history.write("index", "tables", INDEX, UNDO)
        assert rules(lint(history.project, "tables")) == ["require-concurrent-index-creation"]
        history.write("before", None, "pass")
        text = (history.project.root / "migrations/versions/tables.py").read_text()
        (history.project.root / "migrations/versions/tables.py").write_text(
            text.replace("down_revision = None", "down_revision = 'before'")
        )
        assert lint(history.project, ("before",)) == ()

    def test_knows_sizes(self, history: History) -> None:
        """A small table is let be, a large one is named with its size."""
        history.write("index", "tables", INDEX, UNDO)
        assert lint(history.project, "tables", sizes={"public.big": 10}) == ()
        (finding,) = lint(history.project, "tables", sizes={"public.big": 1_200_000})
        message = "builds index ix of big (about 1,200,000 rows) while nobody can write to it"
        assert finding.message == message
        # Where search_path leads to another schema.
        (finding,) = lint(history.project, "tables", sizes={"app.big": 1_200_000})
        assert finding.message == message

    def test_goes_on_after_a_revision_that_asks_the_database(self, history: History) -> None:
        """What it said before it asked is judged, and so is the next one."""
        history.write("asks", "tables", f"{INDEX}\nop.get_bind().execute(sa.text('SELECT 1')).scalar()", UNDO)
        history.write("index", "asks", INDEX, UNDO)
        findings = lint(history.project, "tables")
        assert [(each.revision, each.rule) for each in findings] == [
            ("asks", "require-concurrent-index-creation"),
            ("asks", "cannot-be-linted"),
            ("index", "require-concurrent-index-creation"),
        ]

    def test_finds_an_expand_after_a_contract(self, history: History) -> None:
        """Both pending."""
        history.write("contract", "tables", "op.drop_column('big', 'old')", UNDO, "contract")
        history.write("expand", "contract", "op.add_column('big', sa.Column('c', sa.Integer))", UNDO)
        assert rules(lint(history.project, "tables")) == ["expand-after-contract"]
        assert lint(history.project, "contract") == ()

    def test_takes_a_reason_for_no_way_back(self, history: History) -> None:
        """The revision says it."""
        path = history.write(
            "gone", "tables", "op.drop_column('big', 'old')", "raise NotImplementedError", "contract"
        )
        path.write_text(path.read_text().replace("phase =", "irreversible = 'the data is gone'\nphase ="))
        assert lint(history.project, "tables") == ()

    def test_refuses_an_unknown_base(self, history: History) -> None:
        """Rather than to judge everything."""
        with pytest.raises(UnknownRevisionError):
            lint(history.project, "nowhere")


class TestSuppressions:
    """`lint_ignore`."""

    @pytest.mark.parametrize(
        ("ignored", "expected", "verdict"),
        [
            (
                "{'require-concurrent-index-creation': 'night'}",
                ["require-concurrent-index-creation"],
                Verdict.SAFE,
            ),
            (
                "{'require-concurrent-index-creation': ' '}",
                ["suppression-invalid", "require-concurrent-index-creation"],
                Verdict.UNSAFE,
            ),
            (
                "{'require-concurent-index-creation': 'x'}",
                ["suppression-unknown", "require-concurrent-index-creation"],
                Verdict.UNSAFE,
            ),
            (
                "{'require-concurrent-index-creation': 'night', 'long-lock': 'x'}",
                ["suppression-unused", "require-concurrent-index-creation"],
                Verdict.CARE,
            ),
            (
                "{'require-concurrent-index-creation': 'night', 'much-wal': 'measured'}",
                ["require-concurrent-index-creation"],
                Verdict.SAFE,
            ),
            ("['long-lock']", ["suppression-invalid", "require-concurrent-index-creation"], Verdict.UNSAFE),
            ("dict(x=1)", ["suppression-invalid", "require-concurrent-index-creation"], Verdict.UNSAFE),
        ],
    )
    def test_need_a_rule_and_a_reason(
        self, history: History, ignored: str, expected: list[str], verdict: Verdict
    ) -> None:
        """A reason suppresses; what is wrong with one is a finding of its own."""
        path = history.write("index", "tables", INDEX, UNDO)
        path.write_text(path.read_text().replace("phase =", f"lint_ignore = {ignored}\nphase ="))
        findings = lint(history.project, "tables")
        assert rules(findings) == expected
        assert worst(findings) is verdict

    def test_are_shown(self, history: History) -> None:
        """With the reason."""
        path = history.write("index", "tables", INDEX, UNDO)
        path.write_text(
            path.read_text().replace(
                "phase =", "lint_ignore = {'require-concurrent-index-creation': 'at night'}\nphase ="
            )
        )
        (finding,) = lint(history.project, "tables")
        assert finding.suppressed == "at night"


class TestLintSince:
    """`lint_since`."""

    def test_looks_at_what_a_git_branch_lacks(self, history: History) -> None:
        """Files count, committed or not."""
        root = history.project.root
        for arguments in (
            ("init", "-q", "-b", "main"),
            ("add", "."),
            ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
        ):
            subprocess.run(["git", *arguments], cwd=root, check=True)
        assert lint_since(history.project, "main") == ()
        history.write("index", "tables", INDEX, UNDO)
        assert rules(lint_since(history.project, "main")) == ["require-concurrent-index-creation"]
        with pytest.raises(GitBranchUnknownError):
            lint_since(history.project, "--all")
