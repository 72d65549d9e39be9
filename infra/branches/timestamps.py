"""Points in time that branches are given: checked before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from infra.branches.errors import MomentInvalidError

#: Neon's longest (its guide to branch expiration).
_LONGEST_EXPIRY: Final = timedelta(days=30)


def checked_expiry(at: datetime) -> datetime:
    """Return the moment in UTC without its fraction: Neon keeps expiry in seconds.

    Raises:
        MomentInvalidError: It has no time zone, has passed, or is further away than 30 days.
    """
    at = _in_utc(at).replace(microsecond=0)
    now = datetime.now(UTC)
    if at <= now:
        raise MomentInvalidError(f"a branch cannot expire at {rfc3339(at)}, which has passed")
    if at > now + _LONGEST_EXPIRY:
        raise MomentInvalidError(
            f"a branch cannot expire at {rfc3339(at)}, more than {_LONGEST_EXPIRY.days} days from now",
            hint="give a nearer time, or none and delete it yourself",
        )
    return at


def checked_past(at: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        MomentInvalidError: It has no time zone, is still to come, or is beyond all calendars.
    """
    at = _in_utc(at)
    if at > datetime.now(UTC):
        raise MomentInvalidError(f"nothing can be restored to {rfc3339(at)}, which is still to come")
    return at


def rfc3339(at: datetime) -> str:
    """Return the moment in UTC, with a fraction only where it has one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise MomentInvalidError(
            f"the time {at.isoformat()} has no time zone", hint="add Z for UTC, or an offset such as +02:00"
        )
    try:
        return at.astimezone(UTC)
    except OverflowError:
        # The first and the last hours that there are, in some zones.
        raise MomentInvalidError(f"the time {at.isoformat()} does not exist in UTC") from None
