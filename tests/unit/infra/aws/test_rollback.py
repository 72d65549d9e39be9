"""Where a rollback leads, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.aws.function import Alias, Version
from infra.aws.releases import Releases
from infra.aws.rollback import DoesNotFitError, RollbackError, check_fit, choose
from infra.migrate.fitting import Fit, Judgement

LIVE_AT_9 = Alias("live", "9", {}, "r", ("6", "8", "7"))


def releases(live: Alias | None, *numbers: str) -> Releases:
    published_at = datetime(2026, 11, 22, tzinfo=UTC)
    return Releases(
        "shop-production-api", live, tuple(Version(number, "", 1, published_at, None) for number in numbers)
    )


class TestChoose:
    """`choose`."""

    @pytest.mark.parametrize(
        ("live", "number", "chosen"),
        [
            (LIVE_AT_9, None, "8"),
            (Alias("live", "10", {}, "r", ("9", "8")), None, "9"),
            (LIVE_AT_9, "7", "7"),
            (LIVE_AT_9, "10", "10"),
            (Alias("live", "9", {"10": 0.1}, "r"), None, "9"),
            (Alias("live", "9", {"10": 0.1}, "r"), "9", "9"),
        ],
    )
    def test_leads_to_the_one_before(self, live: Alias, number: str | None, chosen: str) -> None:
        """Not to 6, which is pruned. Or to the one that was named. A canary ends where it began."""
        assert choose(releases(live, "10", "9", "8", "7"), number).version.number == chosen

    @pytest.mark.parametrize(
        ("live", "number", "why"),
        [
            (None, None, "no version of shop-production-api is live"),
            (LIVE_AT_9, "9", "version 9 is live already"),
            (LIVE_AT_9, "11", "has no version 11"),
            (LIVE_AT_9, "$LATEST", r"has no version \$LATEST"),
            (Alias("live", "10", {}, "r"), None, "no version is left that was live before 10"),
        ],
    )
    def test_refuses_what_leads_nowhere(self, live: Alias | None, number: str | None, why: str) -> None:
        """Each says what there is."""
        with pytest.raises(RollbackError, match=why) as raised:
            choose(releases(live, "10", "9"), number)
        assert raised.value.hint


class TestCheckFit:
    """`check_fit`."""

    VERSION = releases(None, "8").versions[0]

    def test_refuses_what_would_fail_whatever_is_allowed(self) -> None:
        """With the exit code of what is unsafe."""
        with pytest.raises(DoesNotFitError, match="version 8 does not work with the database") as raised:
            check_fit(self.VERSION, Judgement(Fit.NO, "it was dropped"), allow_unknown=True)
        assert raised.value.exit_code == 3

    def test_asks_for_a_flag_where_nobody_knows(self) -> None:
        """Which the hint names."""
        unknown = Judgement(Fit.UNKNOWN, "the database cannot be asked")
        with pytest.raises(DoesNotFitError, match="is not known: the database cannot be asked") as raised:
            check_fit(self.VERSION, unknown, allow_unknown=False)
        assert "--allow-unknown-fit" in str(raised.value.hint)
        check_fit(self.VERSION, unknown, allow_unknown=True)
        check_fit(self.VERSION, Judgement(Fit.YES), allow_unknown=False)


class TestBeforeAt:
    """`Alias.before_at`."""

    def test_is_a_way_back(self) -> None:
        """Deployed forward it grows; returned along it, it shrinks; a canary leaves it as it is."""
        assert LIVE_AT_9.before_at("10") == ("9", "6", "8", "7")
        assert LIVE_AT_9.before_at("8") == ("7",)
        assert LIVE_AT_9.before_at("9") == LIVE_AT_9.before

    def test_is_not_endless(self) -> None:
        """A description has room for the last ten."""
        long = Alias("live", "20", {}, "r", tuple(map(str, range(19, 9, -1))))
        assert long.before_at("21") == tuple(map(str, range(20, 10, -1)))
