"""A rehearsal as JSON, and back. Its keys are a contract: none is dropped or given another type.

Keys may be added under the same version; what reads it passes over those that it does not know.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from infra.branches.identity import BranchIdentity
from infra.migrate.errors import ReportUnreadableError
from infra.migrate.findings import Finding, Verdict
from infra.migrate.history import Revision
from infra.migrate.rehearsal.results import (
    Check,
    ForkKind,
    Lock,
    Outcome,
    Rehearsal,
    RevisionMeasure,
    RevisionResult,
    Scan,
    Statement,
    TrafficResult,
)
from infra.migrate.report.paths import relative

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION: Final = 1

T = TypeVar("T")


def to_json(rehearsal: Rehearsal, root: Path) -> dict[str, Any]:
    """Return the rehearsal as what `json.dumps` takes; the verdicts, which follow from it, are told too."""
    return {
        "version": VERSION,
        "verdict": rehearsal.verdict.value,
        "target": asdict(rehearsal.target),
        "fork": rehearsal.fork.value,
        "base": rehearsal.base,
        "head": rehearsal.head,
        "fingerprint": rehearsal.fingerprint,
        "started_at": rehearsal.started_at.isoformat(),
        "seconds": rehearsal.seconds,
        "revisions": [_revision(result, root) for result in rehearsal.revisions],
        "checks": [asdict(check) | {"outcome": check.outcome.value} for check in rehearsal.checks],
        "traffic": asdict(rehearsal.traffic) if rehearsal.traffic else None,
    }


def from_json(record: Mapping[str, Any], root: Path) -> Rehearsal:
    """Return the rehearsal that `to_json` was given, as of the project at `root`.

    Raises:
        ReportUnreadableError: A later version wrote it, or it is no report.
    """
    version = record.get("version")
    if version != VERSION:
        raise ReportUnreadableError(
            f"the report has version {version!r}, and this code reads {VERSION}",
            hint="rehearse again: bough migrate rehearse",
        )
    try:
        return _rehearsal(record, root)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReportUnreadableError(
            f"the report cannot be read: {type(error).__name__}: {error}",
            hint="rehearse again: bough migrate rehearse",
        ) from error


def _revision(result: RevisionResult, root: Path) -> dict[str, Any]:
    measure = result.measure
    record = asdict(measure)
    return {
        **record.pop("revision"),
        "path": relative(measure.revision.path, root),
        "verdict": result.verdict.value,
        **record,
        "findings": [
            asdict(finding) | {"verdict": finding.verdict.value, "path": relative(finding.path, root)}
            for finding in result.findings
        ],
    }


def _rehearsal(record: Mapping[str, Any], root: Path) -> Rehearsal:
    checks = (_made(Check, check, outcome=Outcome(check["outcome"])) for check in record["checks"])
    return _made(
        Rehearsal,
        record,
        target=_made(BranchIdentity, record["target"]),
        fork=ForkKind(record["fork"]),
        started_at=datetime.fromisoformat(record["started_at"]),
        revisions=tuple(_result(revision, root) for revision in record["revisions"]),
        checks=tuple(checks),
        traffic=_made(TrafficResult, record["traffic"]) if record["traffic"] else None,
    )


def _result(record: Mapping[str, Any], root: Path) -> RevisionResult:
    measure = _made(
        RevisionMeasure,
        record,
        revision=_made(Revision, record, path=root / record["path"]),
        statements=tuple(_statement(statement) for statement in record["statements"]),
        locks=tuple(_made(Lock, lock) for lock in record["locks"]),
        invalid_indexes=tuple(record.get("invalid_indexes", ())),
    )
    findings = (
        _made(Finding, finding, verdict=Verdict(finding["verdict"]), path=root / finding["path"])
        for finding in record["findings"]
    )
    return RevisionResult(measure, tuple(findings))


def _statement(record: Mapping[str, Any]) -> Statement:
    scans = tuple(_made(Scan, scan) for scan in record["scans"])
    return _made(Statement, record, rewrites=tuple(record["rewrites"]), scans=scans)


def _made(cls: type[T], record: Mapping[str, Any], **given: Any) -> T:
    """Return an instance of a dataclass from a record; fields that are not plain values are given."""
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # every cls here is one
    return cls(**{name: record[name] for name in names & record.keys()} | given)
