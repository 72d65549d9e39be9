"""Numbers as people read them."""

from __future__ import annotations

import pytest

from infra.migrate.report.figures import change, counted, duration, size


class TestFigures:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0.0 ms"),
            (0.0005, "0.5 ms"),
            (0.00996, "10 ms"),
            (0.488, "488 ms"),
            (0.9996, "1.0 s"),
            (59.96, "1 min 00 s"),
            (182.4, "3 min 02 s"),
            (3599.6, "1 h 00 min"),
            (3900, "1 h 05 min"),
        ],
    )
    def test_durations_have_the_unit_that_they_are_read_in(self, seconds, text):
        """Also where rounding takes them over to the next unit."""
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (999_700, "1.0 MB"),
            (35_000_000, "35 MB"),
            (5_000_000_000_000_000, "5000 TB"),
        ],
    )
    def test_sizes_have_two_figures(self, count, text):
        """Units of 1,000."""
        assert size(count) == text
        assert change(count) == ("0 B" if count == 0 else f"+{text}")
        assert change(-count) == ("0 B" if count == 0 else f"-{text}")

    def test_one_is_singular(self):
        """And thousands have commas."""
        assert counted(1, "row") == "1 row"
        assert counted(2_000, "row") == "2,000 rows"
