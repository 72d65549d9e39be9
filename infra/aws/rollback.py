"""Returns a stage to an earlier version: one call that moves the alias, after everything was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from infra.aws.errors import AwsError
from infra.aws.stage import LIVE
from infra.migrate.fitting import Fit
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from infra.aws.function import Alias, Version
    from infra.aws.functions import Functions
    from infra.aws.releases import Releases
    from infra.migrate.fitting import Judgement


class RollbackError(AwsError):
    """There is nothing to return to, or not this; nothing was changed."""

    code: ClassVar[str] = "ROLLBACK_IMPOSSIBLE"


class NotRecordedError(AwsError):
    """The version is live, and the database does not know it: a contract revision could break it."""

    code: ClassVar[str] = "RELEASE_NOT_RECORDED"


class DoesNotFitError(RollbackError):
    """The database no longer fits the version, or nobody can say whether it does; nothing was changed."""

    code: ClassVar[str] = "VERSION_DOES_NOT_FIT"
    exit_code: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Rollback:
    """Where a stage returns to.

    Args:
        function: Its function's name.
        live: The alias, as it was read.
        version: Where to.
    """

    function: str
    live: Alias
    version: Version


def choose(releases: Releases, number: str | None) -> Rollback:
    """Return the version to go back to, by its number, or else the one that was live before.

    While a canary gets a share of the requests, that is the version that gets the rest. A version that was
    published and never live is not returned to unless it is named.

    Raises:
        RollbackError: There is none, it is live already, or none ever was.
    """
    live = releases.live
    if live is None:
        raise RollbackError(f"no version of {releases.function} is live", hint="make one so: bough deploy")
    by_number = {version.number: version for version in releases.versions}
    if number is None:
        number = _before(live, by_number)
    if number not in by_number:
        raise RollbackError(
            f"{releases.function} has no version {number}", hint=f"it has {', '.join(by_number)}"
        )
    if live.version == number and not live.weights:
        raise RollbackError(f"version {number} is live already", hint="see: bough releases")
    return Rollback(releases.function, live, by_number[number])


def check_fit(version: Version, judgement: Judgement, *, allow_unknown: bool) -> None:
    """Refuse a version that would not work.

    Args:
        version: Where to return to.
        judgement: Whether the database fits it.
        allow_unknown: Whether to go on where nobody can say so.

    Raises:
        DoesNotFitError: It would not, or that is not known and not allowed.
    """
    number = version.number
    if judgement.fit is Fit.NO:
        raise DoesNotFitError(
            f"version {number} does not work with the database any more: {judgement.why}",
            hint="choose one that fits (bough releases), or mend the code and go forward: bough deploy",
        )
    if judgement.fit is Fit.UNKNOWN and not allow_unknown:
        raise DoesNotFitError(
            f"whether version {number} works with the database is not known: {judgement.why}",
            hint="if you know that it does: --allow-unknown-fit",
        )


def steps(
    functions: Functions,
    rollback: Rollback,
    *,
    smoke: Callable[[], str | None] | None,
    record: Callable[[], str | None] | None,
) -> list[Step]:
    """Return what a rollback does.

    Args:
        functions: Of the account.
        rollback: Where to.
        smoke: Asks the version whether it answers, and raises if not; `None` to leave that out.
        record: Takes down in the database which code is live; `None` where that cannot be reached.
    """
    live, number = rollback.live, rollback.version.number

    def shift() -> str:
        functions.point(
            rollback.function, LIVE, number, revision_id=live.revision_id, before=live.before_at(number)
        )
        return f"it was {_described(live)}"

    plan = []
    if smoke is not None:
        plan.append(Step("smoke", f"Ask version {number} whether it answers", smoke))
    before = tuple(step.key for step in plan)
    # Without an undo: whatever fails then, nobody wants the other version back.
    plan.append(Step("shift", f"Point {LIVE} to version {number}", shift, before))
    if record is not None:
        plan.append(Step("record", "Record in the database which code is live", record, ("shift",)))
    return plan


def _before(live: Alias, numbers: Collection[str]) -> str:
    if live.weights:
        return live.version
    for number in live.before:
        if number in numbers:
            return number
    raise RollbackError(
        f"no version is left that was live before {live.version}", hint="name one: bough releases lists them"
    )


def _described(live: Alias) -> str:
    if not live.weights:
        return f"version {live.version}"
    return " and ".join(f"version {number} ({share:.0%})" for number, share in live.shares.items())
