"""Points in time that branches are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.branches.errors import MomentInvalidError
from infra.branches.timestamps import checked_expiry, checked_past


def ahead_of_utc(hours: int) -> timezone:
    return timezone(timedelta(hours=hours))


class TestCheckedExpiry:
    @pytest.mark.parametrize(
        "at",
        [
            datetime(2999, 1, 1),  # noqa: DTZ001  what is refused
            datetime(1999, 1, 1, tzinfo=UTC),
            datetime(2999, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, tzinfo=ahead_of_utc(-5)),
        ],
        ids=["without a zone", "passed", "too far", "beyond the last hour in UTC"],
    )
    def test_moment_that_cannot_be_is_refused(self, at):
        """As an error of ours, whichever way it is wrong."""
        with pytest.raises(MomentInvalidError):
            checked_expiry(at)

    def test_moment_is_in_whole_seconds_of_utc(self):
        """As Neon keeps it."""
        at = datetime.now(ahead_of_utc(2)) + timedelta(days=29)
        assert checked_expiry(at) == at.replace(microsecond=0)
        assert checked_expiry(at).tzinfo is UTC


class TestCheckedPast:
    @pytest.mark.parametrize(
        "at",
        [
            datetime(1999, 1, 1),  # noqa: DTZ001  what is refused
            datetime(2999, 1, 1, tzinfo=UTC),
            datetime(1, 1, 1, tzinfo=ahead_of_utc(5)),
        ],
        ids=["without a zone", "to come", "before the first hour in UTC"],
    )
    def test_moment_that_cannot_have_been_is_refused(self, at):
        """As an error of ours."""
        with pytest.raises(MomentInvalidError):
            checked_past(at)
