"""What commands leave in GitHub Actions: annotations, the step's summary, outputs, a rehearsal's comment."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.migrate import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.migrate.rehearsal.results import Rehearsal

_COMMENT: Final = "bough-rehearsal-comment.md"


def runs_here() -> bool:
    """Say whether this is a step of a workflow."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def publish(rehearsal: Rehearsal, root: Path, page: Path | None) -> None:
    """Write all of it where the runner said that it looks.

    The outputs are `verdict`, `comment` (a file; its first line finds the comment again) and `report`.

    Args:
        rehearsal: That has ended.
        root: Of the project, and of the repository.
        page: The HTML report, if one was written.
    """
    findings = [finding for result in rehearsal.revisions for finding in result.findings]
    # The runner reads commands on stderr too, so stdout stays the data's; as they stand, in one line each.
    sys.stderr.write(report.annotations(findings, root))
    outputs = {"verdict": rehearsal.verdict.value}
    if folder := os.environ.get("RUNNER_TEMP"):
        comment = Path(folder, _COMMENT)
        comment.write_text(report.comment(rehearsal, root), encoding="utf-8")
        outputs["comment"] = str(comment)
    if page is not None:
        outputs["report"] = str(page.resolve())
    _append("GITHUB_STEP_SUMMARY", report.markdown(rehearsal, root))
    put_out(outputs)


def put_out(outputs: Mapping[str, str]) -> None:
    """Set the step's outputs; each value is one line."""
    _append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items()))


def summarise(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Add a heading and a table of two columns to the step's summary."""
    cells = (f"| {name} | {_cell(value)} |\n" for name, value in rows)
    _append("GITHUB_STEP_SUMMARY", f"### {title}\n\n| | |\n|---|---|\n{''.join(cells)}\n")


def error(title: str, message: str) -> None:
    """Annotate the run with an error."""
    sys.stderr.write(f"::error title={_escaped(title)}::{_escaped(message)}\n")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _escaped(text: str) -> str:
    """Escape text for a workflow command, where a title ends at a comma or a colon."""
    pairs = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"}
    return "".join(pairs.get(each, each) for each in text)


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
