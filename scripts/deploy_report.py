"""What a deploy says at its end: to people, to programs, and to GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.aws.release_note import ReleaseNote
from infra.aws.stage import LIVE
from infra.errors import InfraError
from infra.migrate.rehearsal.code import DEPLOYED
from infra.migrate.rehearsal.results import Outcome
from infra.plan import StepState
from scripts import github_actions, output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.aws.release import Deploy
    from infra.migrate.runner import Report
    from infra.plan import Progress


def record(made: Deploy, *, changed: bool) -> dict[str, Any]:
    """Return what is so after a deploy; the keys are a contract."""
    outcome, found = made.outcome, made.found
    migrated = outcome.migrated
    status = found.status
    live = outcome.version or found.live
    held_back = migrated.held_back if migrated else status.allowed.held_back if status else ()
    return {
        "stage": made.to.stage.name,
        "function": made.to.stage.api,
        "changed": changed,
        "version": outcome.version.number if outcome.version else found.alias and found.alias.version,
        "previous": found.alias and found.alias.version,
        "url": outcome.url and outcome.url.url,
        "code": live.note.code if live and live.note else None,
        "head": found.package.revisions.head,
        "applied": [run.id for run in migrated.runs] if migrated else [],
        "held_back": [revision.id for revision in held_back],
        "next": (migrated.why if migrated else status.allowed.why if status else None),
    }


def for_people(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is to read of a record in two columns."""
    joined = {key: ", ".join(value) if isinstance(value, list) else value for key, value in record.items()}
    joined["code"] = record["code"] and ReleaseNote(record["code"]).short
    return {key: value for key, value in joined.items() if value not in {None, ""}}


def publish(record: Mapping[str, Any]) -> None:
    """Leave a deploy that ended well in GitHub Actions: outputs `url` and `version`, and a summary."""
    if not github_actions.runs_here():
        return
    rows = [(key, str(value)) for key, value in for_people(record).items()]
    github_actions.summarise(f"Deployed {record['stage']}", rows)
    github_actions.put_out({key: record[key] for key in ("url", "version") if record[key]})


def say_failure(made: Deploy, news: Sequence[Progress], error: BaseException) -> None:
    """Say in one block what is so after a deploy that did not end well, as it is found then."""
    rows = [
        ("live", _live(made)),
        ("database", _database(made)),
        ("undone", _undone(news)),
        ("next", "mend the cause and run the same command again: what is done already is left out"),
    ]
    output.say("")
    for what, how in rows:
        output.say(f"{what:8}  {how}")
    output.say("")
    if github_actions.runs_here():
        title = f"Deploy of {made.to.stage.name} failed"
        github_actions.error(title, str(error) or "it was ended")
        github_actions.summarise(title, [("why", str(error) or "it was ended"), *rows])


def _live(made: Deploy) -> str:
    before = made.found.alias
    try:
        alias = made.to.functions.alias(made.to.stage.api, LIVE)
    except InfraError as error:
        return f"not known: {error}"
    if alias is None:
        return "nothing, as before"
    shares = ", ".join(
        f"version {number}" + (f" ({share:.0%} of the requests)" if alias.weights else "")
        for number, share in alias.shares.items()
    )
    return f"{shares}, as before" if before is not None and before.shares == alias.shares else shares


def _database(made: Deploy) -> str:
    if made.to.database is None:
        return "none" if made.to.remote is None else _remote_database(made.outcome.migrated)
    try:
        status = made.to.database.status()
    except InfraError as error:
        return f"not known: {error}"
    at = f"at {', '.join(status.current) or 'base'}"
    applied = made.outcome.migrated.runs if made.outcome.migrated else ()
    if not applied:
        return at
    done = f"{at}; applied {', '.join(run.id for run in applied)}"
    if made.found.alias is None:
        return done
    rehearsal = made.outcome.rehearsal
    if rehearsal and any(
        check.name.startswith(DEPLOYED) and check.outcome is Outcome.PASSED for check in rehearsal.checks
    ):
        return f"{done}, which stays: the live code works with it, as the rehearsal has tried"
    return f"{done}, which stays: expand revisions take nothing away that the live code needs"


def _remote_database(migrated: Report | None) -> str:
    if migrated is None:
        return "out of reach from here: bough logs --migrate says what was done"
    return f"at {', '.join(migrated.current) or 'base'}, as the migration function has said"


def _undone(news: Sequence[Progress]) -> str:
    """Return which steps were undone; that the lock was given back goes without saying."""
    parts = [
        each.detail or each.step.key
        for each in news
        if each.state is StepState.UNDONE and each.step.key != "lock"
    ]
    parts += [
        f"NOT undone: {each.step.key} ({each.detail})" for each in news if each.state is StepState.NOT_UNDONE
    ]
    return "; ".join(parts) or "nothing had to be"
