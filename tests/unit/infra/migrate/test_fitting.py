"""Which code a schema fits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.migrate.fitting import Fit, Schema
from infra.migrate.history import Revision
from infra.migrate.records import Applied

if TYPE_CHECKING:
    from infra.migrate.history import Phase

#: What each revision declares, from the oldest to the newest.
PHASES: dict[str, Phase] = {"one": "expand", "two": "expand", "drop": "contract", "four": "expand"}


def schema(*applied: str, without: tuple[str, ...] = ()) -> Schema:
    """Return a schema that has these revisions, as a checkout sees it that lacks others."""
    history = [
        Revision(id_, "", phase, Path(id_), None) for id_, phase in PHASES.items() if id_ not in without
    ]
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Schema(history, {id_: Applied(PHASES[id_], now) for id_ in applied})


class TestJudge:
    """`Schema.judge`."""

    @pytest.mark.parametrize(
        ("applied", "head", "needed"),
        [
            (["one", "two"], "two", "two"),
            (["one", "two"], "one", "one"),
            (["one", "two"], "drop", "two"),
            (["one", "two", "drop"], "drop", "two"),
            (["one", "two", "drop", "four"], "drop", "two"),
            ([], None, None),
            (["one"], None, None),
        ],
    )
    def test_fits_code_that_lacks_nothing(
        self, applied: list[str], head: str | None, needed: str | None
    ) -> None:
        """Older code does not mind what was added, nor newer code what it was built to lose."""
        assert schema(*applied).judge(head, needed).fit is Fit.YES

    @pytest.mark.parametrize(
        ("applied", "head", "needed", "why"),
        [
            (["one", "two", "drop"], "two", "two", "contract revision drop was applied, which it does not"),
            (["one", "two", "drop"], None, None, "contract revision drop was applied"),
            (["one"], "two", "two", "it needs revision two, which the database lacks"),
        ],
    )
    def test_does_not_fit_code_that_would_fail(
        self, applied: list[str], head: str | None, needed: str | None, why: str
    ) -> None:
        """What it needs was taken away, or is not there yet."""
        judgement = schema(*applied).judge(head, needed)
        assert judgement.fit is Fit.NO
        assert why in str(judgement.why)

    @pytest.mark.parametrize(
        ("found", "head", "why"),
        [
            (schema(), "two", "no record"),
            (schema("one", "two", without=("two",)), "two", "this checkout lacks its head revision two"),
            (schema("one", "two", "drop", without=("drop",)), "two", "lacks contract revision drop"),
        ],
    )
    def test_says_so_where_it_cannot_know(self, found: Schema, head: str, why: str) -> None:
        """A database that somebody else migrated, or a checkout of another history."""
        judgement = found.judge(head, "two")
        assert judgement.fit is Fit.UNKNOWN
        assert why in str(judgement.why)
