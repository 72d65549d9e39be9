"""Whether code fits the new schema: the deployed code, else expand is not additive, and the new code.

Each mapped table's statements are tried as the application role, before the upgrade (the base line: what
fails there is not the migration's fault) and after it. `docs/decisions/0019-compatibility.md` says what that
finds, and what it cannot.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

from infra.migrate.rehearsal.code import CodeNotFoundError, deployed, packaged
from infra.migrate.rehearsal.results import Check, Outcome
from infra.migrate.rehearsal.trials import Tried, try_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.database.connection_url import PooledUrl
    from infra.config import Project
    from infra.migrate.records import Release
    from infra.migrate.rehearsal.code import Code
    from infra.migrate.rehearsal.trials import Trial

#: The schema lacks what the code names, or holds it as another type: no row of any values would do.
_MISFITS: Final = frozenset({"42703", "42P01", "42804", "3F000"})
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_NOT_NULL: Final = "23502"

#: Classes of SQLSTATE that speak of values: another row might have been accepted.
_VALUES: Final = ("22", "23", "P0")
#: And of the server: connections, resources, locks, cancelled statements.
_SERVER: Final = ("08", "40", "53", "55", "57", "58")

#: Statements that a check's detail names.
_SHOWN: Final = 5


class Comparison:
    """The deployed code on a fork before and after the upgrade, and the new code after it."""

    def __init__(
        self, stack: ExitStack, project: Project, database: PooledUrl, environment: Mapping[str, str] | None
    ) -> None:
        """Try nothing yet; use `comparison`."""
        self._stack = stack
        self._project = project
        self._database = database
        self._environment = environment
        self._deployed: Code | None = None
        self._before: Tried | None = None
        self._why_not = "it was not tried before the upgrade"

    def before(self, release: Release | None) -> None:
        """Take the base line of the code that is live, where its artifact can be had."""
        try:
            self._deployed = self._stack.enter_context(deployed(self._project, release, self._environment))
            self._before = self._try(self._deployed)
        except CodeNotFoundError as error:
            self._why_not = f"{error}; {error.hint}" if error.hint else str(error)
        except (OSError, BadZipFile) as error:
            self._why_not = f"its artifact cannot be run: {error}"
            self._deployed = None

    def after(self) -> tuple[Check, ...]:
        """Try the deployed code again, and the project as it is now.

        Raises:
            ArtifactError, ConfigError, DependenciesError, RevisionsError: It cannot be packaged.
        """
        checks: list[Check] = []
        if self._deployed is None:
            checks.append(Check("deployed code", Outcome.SKIPPED, self._why_not))
        else:
            checks += judge(self._deployed.name, self._before, self._try(self._deployed))
        with packaged(self._project, self._environment) as new:
            # What the deployed code could not do before tells nothing of the new one either.
            checks += judge(new.name, self._before, self._try(new), same_code=False)
        return tuple(checks)

    def _try(self, code: Code) -> Tried:
        return try_code(code, self._database, self._project.smoke.checks)


@contextmanager
def comparison(
    project: Project, database: PooledUrl, environment: Mapping[str, str] | None = None
) -> Iterator[Comparison]:
    """Compare what code can do on a fork before and after its upgrade.

    Args:
        project: Whose code.
        database: The fork, as the application logs in.
        environment: Variables that the code needs besides `DATABASE_URL`, `AUTH_SECRET` and
            `BOUGH_ENVIRONMENT`.
    """
    with ExitStack() as stack:
        yield Comparison(stack, project, database, environment)


def judge(name: str, before: Tried | None, after: Tried, *, same_code: bool = True) -> tuple[Check, ...]:
    """Say whether code fits, from how it fared before the upgrade (`None`: unknown) and after it.

    Args:
        name: The code's, for the checks' names.
        before: The base line.
        after: What is judged.
        same_code: Whether it was this code before; other code's start says nothing of this one's.
    """
    checks = [_judge_tables(name, before, after, same_code=same_code)]
    if after.answers:
        checks.append(_judge_answers(name, before, after))
    return tuple(checks)


def _judge_tables(name: str, before: Tried | None, after: Tried, *, same_code: bool) -> Check:
    name = f"{name}: tables"
    if after.error is not None:
        started = same_code and before is not None and before.error is None
        return Check(name, Outcome.FAILED if started else Outcome.SKIPPED, after.error)
    base = {(trial.table, trial.statement): trial for trial in before.trials} if before else {}
    judged = [
        _Judged(trial, *_verdict(trial, base.get((trial.table, trial.statement)))) for trial in after.trials
    ]
    failed = [each for each in judged if each.outcome is Outcome.FAILED]
    if failed:
        return Check(name, Outcome.FAILED, _listed(failed))
    passed = [each for each in judged if each.outcome is Outcome.PASSED]
    detail = f"{len(passed)} statements on {len({each.trial.table for each in passed})} tables"
    untried = [each for each in judged if each.outcome is Outcome.SKIPPED]
    if untried:
        detail += f"; {len(untried)} could not be judged: {_listed(untried)}"
    return Check(name, Outcome.PASSED if passed else Outcome.SKIPPED, detail)


@dataclass(frozen=True, slots=True)
class _Judged:
    trial: Trial
    outcome: Outcome
    why: str


def _verdict(trial: Trial, before: Trial | None) -> tuple[Outcome, str]:
    """Tell a schema that refuses what the code does from a row that could not be made up."""
    before_ok = before is not None and before.ok
    if trial.ok:
        vanished = before_ok and before is not None and before.found and not trial.found
        lost = "sees no row any more, and saw one before the upgrade"
        return (Outcome.FAILED, lost) if vanished else (Outcome.PASSED, "")
    if trial.sqlstate is None or trial.sqlstate.startswith(_SERVER):
        return Outcome.SKIPPED, trial.message
    if before is not None and before.sqlstate == trial.sqlstate:
        return Outcome.SKIPPED, f"{trial.message}, before the upgrade too"
    if _is_misfit(trial):
        return Outcome.FAILED, trial.message
    if trial.made_up and trial.sqlstate.startswith(_VALUES):
        return Outcome.SKIPPED, f"{trial.message}, for values that were made up"
    return (Outcome.FAILED if before_ok else Outcome.SKIPPED), trial.message


def _is_misfit(trial: Trial) -> bool:
    if trial.sqlstate == _NOT_NULL:
        return trial.unforeseen_null
    if trial.sqlstate == _INSUFFICIENT_PRIVILEGE:
        # Nobody in particular is logged in: a policy may well refuse them.
        return "row-level security" not in trial.message
    return trial.sqlstate in _MISFITS


def _listed(judged: list[_Judged]) -> str:
    """Name statements by what is said of them, each message once for a table."""
    statements: dict[tuple[str, str], list[str]] = {}
    for each in judged:
        statements.setdefault((each.trial.table, each.why), []).append(each.trial.statement)
    parts = [f"{table}: {', '.join(them)}: {why}" for (table, why), them in statements.items()]
    more = len(parts) - _SHOWN
    return "; ".join(parts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _judge_answers(name: str, before: Tried | None, after: Tried) -> Check:
    name = f"{name}: smoke checks"
    base = {answer.path: answer.status for answer in before.answers} if before else {}
    failed = [answer for answer in after.answers if not _succeeded(answer.status)]
    if not failed:
        return Check(name, Outcome.PASSED, ", ".join(answer.path for answer in after.answers))
    new = [answer for answer in failed if _succeeded(base.get(answer.path, HTTPStatus.OK))]
    detail = ", ".join(f"GET {answer.path} was answered {answer.status}" for answer in new or failed)
    return (
        Check(name, Outcome.FAILED, detail)
        if new
        else Check(name, Outcome.SKIPPED, f"{detail}, before the upgrade too")
    )


def _succeeded(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
