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

from infra.errors import InfraError
from infra.migrate.rehearsal.code import DEPLOYED, NEW, deployed, packaged
from infra.migrate.rehearsal.results import Check, Outcome
from infra.migrate.rehearsal.trials import Tried, try_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from api.database.connection_url import PooledUrl
    from infra.config import Project
    from infra.migrate.history import Revision
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

#: Hundreds of an HTTP status.
_CLIENTS_FAULT: Final = 4

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
        self._tried: list[tuple[Code, Tried | None]] = []
        self._untried: list[Check] = []

    def before(self, release: Release | None, *, later: tuple[Revision, ...] = ()) -> None:
        """Take the base line, of the code that is live where its artifact can be had.

        Args:
            release: What is live.
            later: Revisions that the new code needs, and that will not have run.
        """
        base = None
        if code := self._enter(DEPLOYED, deployed(self._project, release, self._environment)):
            base = self._try(code)
            self._tried.append((code, base))
        if later:
            why = f"it needs {later[-1].id}, which was not rehearsed"
            self._untried.append(Check(NEW, Outcome.SKIPPED, why))
        elif code := self._enter(NEW, packaged(self._project, self._environment)):
            if base is None or base.error is not None:
                # By itself it tells what the role may not do anyway. Its answers count from the upgrade on.
                base = try_code(code, self._database, ())
            self._tried.append((code, base))

    def after(self) -> tuple[Check, ...]:
        """Try the deployed code again, and the project as it is now."""
        checks = list(self._untried)
        assumed = self._project.smoke.checks is None
        for code, before in self._tried:
            is_deployed = code.name == DEPLOYED
            checks += judge(code.name, before, self._try(code), same_code=is_deployed, assumed=assumed)
        return tuple(sorted(checks, key=lambda check: check.name.partition(":")[0]))

    def _enter(self, name: str, code: AbstractContextManager[Code]) -> Code | None:
        """Have code for as long as the comparison lasts; take down why it cannot be had."""
        try:
            return self._stack.enter_context(code)
        except (InfraError, OSError) as error:
            hint = f"; {error.hint}" if isinstance(error, InfraError) and error.hint else ""
            self._untried.append(Check(name, Outcome.SKIPPED, f"{error}{hint}"))
            return None

    def _try(self, code: Code) -> Tried:
        return try_code(code, self._database, self._project.smoke.paths)


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


def judge(
    name: str, before: Tried | None, after: Tried, *, same_code: bool = True, assumed: bool = False
) -> tuple[Check, ...]:
    """Say whether code fits, from how it fared before the upgrade (`None`: unknown) and after it.

    Args:
        name: The code's, for the checks' names.
        before: The base line.
        after: What is judged.
        same_code: Whether what is deployed is judged; new code must find what it needs, whatever the
            code before it lacked.
        assumed: Nobody said that the app has the paths of the smoke checks.
    """
    checks = [_judge_tables(name, before, after, same_code=same_code)]
    if after.answers or after.unasked:
        checks.append(
            _judge_answers(f"{name}: smoke checks", before, after, same_code=same_code, assumed=assumed)
        )
    return tuple(checks)


def _judge_tables(name: str, before: Tried | None, after: Tried, *, same_code: bool) -> Check:
    name = f"{name}: tables"
    if after.error is not None:
        if same_code and before is not None and before.error is None:
            return Check(name, Outcome.FAILED, after.error)
        hint = "a variable that it lacks is given by `bough migrate rehearse --env NAME`"
        return Check(name, Outcome.SKIPPED, f"{after.error}; {hint}")
    base = {(trial.table, trial.statement): trial for trial in before.trials} if before else {}
    judged = [
        _Judged(trial, *_verdict(trial, base.get((trial.table, trial.statement)), same_code=same_code))
        for trial in after.trials
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


def _verdict(trial: Trial, before: Trial | None, *, same_code: bool) -> tuple[Outcome, str]:
    """Tell a schema that refuses what the code does from a row that could not be made up."""
    before_ok = before is not None and before.ok
    if trial.ok:
        vanished = before_ok and before is not None and before.found and not trial.found
        lost = "sees no row any more, and saw one before the upgrade"
        return (Outcome.FAILED, lost) if vanished else (Outcome.PASSED, "")
    if trial.sqlstate is None or trial.sqlstate.startswith(_SERVER):
        return Outcome.SKIPPED, trial.message
    as_before = before is not None and before.sqlstate == trial.sqlstate
    if as_before and (same_code or trial.sqlstate not in _MISFITS):
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


def _judge_answers(name: str, before: Tried | None, after: Tried, *, same_code: bool, assumed: bool) -> Check:
    if after.unasked:
        return Check(name, Outcome.SKIPPED, after.unasked)
    failed = [answer for answer in after.answers if not _succeeded(answer.status)]
    if not failed:
        return Check(name, Outcome.PASSED, ", ".join(answer.path for answer in after.answers))
    base = {answer.path: answer.status for answer in before.answers} if before else {}
    new = [answer for answer in failed if _succeeded(base.get(answer.path, HTTPStatus.OK))]
    detail = ", ".join(f"GET {answer.path} was answered {answer.status}" for answer in new or failed)
    if not new:
        return Check(name, Outcome.SKIPPED, f"{detail}, before the upgrade too")
    if assumed and not base and all(answer.status // 100 == _CLIENTS_FAULT for answer in new):
        why = "the app seems to have no such route; `checks` of [tool.bough.smoke] names its own"
        return Check(name, Outcome.SKIPPED, f"{detail}: {why}")
    if (
        after.error
        and not (same_code and base)
        and all(answer.status == HTTPStatus.BAD_GATEWAY for answer in new)
    ):
        return Check(name, Outcome.SKIPPED, f"{detail}; it does not start here: {after.error}")
    return Check(name, Outcome.FAILED, detail)


def _succeeded(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
