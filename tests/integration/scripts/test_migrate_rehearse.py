"""`bough migrate rehearse` on a real local branch: what is said where, exit codes, and what it leaves."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.scripts.conftest import BranchProject
    from tests.support.histories import History

    Bough = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bough(
    on_branches: Bough, branch_project: BranchProject, history: History, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bough]:
    """Run `bough migrate` for a branch of the test's own, at `one`; `two` and a contract are to come."""
    environment = branch_project.as_neon
    name = f"target-{secrets.token_hex(3)}"
    assert on_branches("branch", "create", name, **environment)[0] == 0
    monkeypatch.chdir(history.project.root)
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")

    def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        return on_branches("migrate", *arguments, "--branch", name, **environment, **more)

    assert run("apply")[0] == 0
    history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
    history.write("three", "two", "op.execute('DROP TABLE a')", "raise NotImplementedError", "contract")
    yield run
    branches = json.loads(on_branches("branch", "list", "-o", "json", **environment)[1])
    assert not [branch["name"] for branch in branches if branch["name"].startswith("rehearsal-")]
    assert on_branches("branch", "delete", name, "--yes", **environment)[0] == 0


class TestRehearse:
    """`bough migrate rehearse`."""

    def test_apply_takes_what_was_rehearsed(self, bough: Bough, tmp_path: Path) -> None:
        """And refuses it before; the report is on stdout, the steps on stderr, no fork is left."""
        code, _, err = bough("apply", "--require-rehearsal")
        assert code == 3
        assert "error[REHEARSAL_MISSING]" in err
        code, _, err = bough("rehearse", "--report", str(tmp_path / "absent" / "report.html"))
        assert code == 2
        assert "there is no folder" in err
        page = tmp_path / "report.html"
        code, out, err = bough("rehearse", "-o", "json", "--report", str(page))
        assert code == 0
        report = json.loads(out)
        assert (report["verdict"], report["base"], report["head"]) == ("safe", "one", "two")
        assert "upgraded again (" in err
        assert "waits until no code is live" in err
        assert page.read_text().startswith("<!DOCTYPE html>")
        code, _, err = bough("apply", "--require-rehearsal")
        assert code == 0
        assert "Applied two" in err
        assert bough("rehearse")[0] == 0

    def test_unsafe_is_exit_3_and_told_to_github(self, bough: Bough, tmp_path: Path) -> None:
        """The contract has no way back: annotation, summary, outputs, the comment's body."""
        outputs, summary = tmp_path / "outputs", tmp_path / "summary"
        code, out, err = bough(
            "rehearse",
            "--contract",
            GITHUB_ACTIONS="true",
            GITHUB_OUTPUT=str(outputs),
            GITHUB_STEP_SUMMARY=str(summary),
            RUNNER_TEMP=str(tmp_path),
        )
        assert code == 3
        assert "downgrade leaves no trace" in out
        assert "::error file=migrations/versions/three.py" in err
        assert "verdict=unsafe\n" in outputs.read_text()
        assert "Unsafe" in summary.read_text()
        assert (tmp_path / "bough-rehearsal-comment.md").read_text().startswith("<!-- bough-rehearsal -->")
