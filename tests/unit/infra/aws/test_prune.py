"""Which versions are deleted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.aws.function import Alias, Version
from infra.aws.prune import superseded


def versions(*numbers: int) -> list[Version]:
    return [Version(str(number), "", 1, datetime(2026, 11, 22, tzinfo=UTC), None) for number in numbers]


class TestSuperseded:
    """`superseded`."""

    @pytest.mark.parametrize(
        ("aliases", "keep", "gone"),
        [
            ([], 5, ["1", "2", "9"]),
            ([Alias("live", "14", {}, "r")], 5, ["1", "2"]),
            ([Alias("live", "14", {}, "r", before=("2", "1"))], 5, ["1"]),
            ([Alias("live", "1", {"2": 0.1}, "r")], 5, ["9"]),
            ([Alias("live", "13", {}, "r"), Alias("pinned", "2", {}, "r")], 2, ["1", "9", "10", "11"]),
            ([], 50, []),
        ],
    )
    def test_keeps_the_newest_and_what_an_alias_names(
        self, aliases: list[Alias], keep: int, gone: list[str]
    ) -> None:
        """Be it for a tenth of the requests. Counted as numbers: 9 is older than 10."""
        found = superseded(versions(14, 13, 12, 11, 10, 9, 2, 1), aliases, keep)
        assert [version.number for version in found] == gone
