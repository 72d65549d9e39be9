"""How times are written on a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from scripts import moments


class TestLength:
    """`length`."""

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90s", 90), ("45m", 2700), ("12h", 43200), ("7d", 604800), (" 2w ", 1209600)]
    )
    def test_reads_a_number_and_a_unit(self, text: str, seconds: int) -> None:
        """Seconds to weeks."""
        assert moments.length(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7D", "1y", "9999999d"])
    def test_refuses_anything_else(self, text: str) -> None:
        """The message shows the form."""
        with pytest.raises(typer.BadParameter, match="must be a length such as 45m, 12h or 7d"):
            moments.length(text)

    def test_refuses_more_than_can_be_counted_with(self) -> None:
        """Such a length from now, or before it, is in no calendar."""
        with pytest.raises(typer.BadParameter, match="longer than 100 years"):
            moments.length("999999w")


class TestExpiry:
    """`expiry`."""

    def test_length_counts_from_now(self) -> None:
        """And is known to be one."""
        found = moments.expiry("7d")
        assert found.at is not None
        assert found.is_length
        assert abs(found.at - datetime.now(UTC) - timedelta(days=7)) < timedelta(seconds=5)

    @given(at=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis adds the zone
    def test_reads_what_rfc_3339_writes(self, at: datetime) -> None:
        """With `Z` or an offset."""
        for text in (at.isoformat(), at.isoformat().replace("+00:00", "Z")):
            assert moments.expiry(text) == moments.Expiry(at, is_length=False)

    def test_never_is_no_moment(self) -> None:
        """It takes an expiry away."""
        assert moments.expiry("never") == moments.Expiry(None, is_length=False)

    def test_time_without_a_zone_is_refused(self) -> None:
        """Whose noon would it be?"""
        with pytest.raises(typer.BadParameter, match="has no time zone: add Z for UTC"):
            moments.expiry("2026-12-31T18:00:00")

    @pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
    def test_time_that_utc_does_not_have_is_refused(self, text: str) -> None:
        """Everything is sent and compared in UTC."""
        with pytest.raises(typer.BadParameter, match="not within the years 1 to 9999 of UTC"):
            moments.expiry(text)

    def test_anything_else_shows_both_forms(self) -> None:
        """A length, or a time."""
        with pytest.raises(typer.BadParameter, match=r"45m, 12h or 7d, or a time with its zone"):
            moments.expiry("tomorrow")


class TestGone:
    """`gone`."""

    def test_length_counts_backwards(self) -> None:
        """`15m` is so long ago."""
        assert abs(datetime.now(UTC) - moments.gone("15m") - timedelta(minutes=15)) < timedelta(seconds=5)
