"""Which revisions may run, and which stand in the wrong place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.migrate.findings import Verdict
from infra.migrate.history import Revision
from infra.migrate.phases import allowed, check_order
from infra.migrate.records import Release

if TYPE_CHECKING:
    from infra.migrate.history import Phase

SINCE = datetime(2026, 11, 21, 10, tzinfo=UTC)


def history(phases: str) -> tuple[Revision, ...]:
    """Return revisions `0`, `1`, …: `e` is an expand, `c` a contract."""
    named: dict[str, Phase] = {"e": "expand", "c": "contract"}
    return tuple(
        Revision(str(n), f"Revision {n}", named[each], Path(f"{n}.py")) for n, each in enumerate(phases)
    )


def live(*revisions: str) -> Release:
    """Return code that was built with these revisions."""
    return Release(revisions[-1] if revisions else None, frozenset(revisions), None, SINCE)


def ids(revisions: tuple[Revision, ...]) -> str:
    """Return the ids as one word."""
    return "".join(revision.id for revision in revisions)


class TestAllowed:
    """`allowed`."""

    def test_runs_everything_on_an_empty_database(self) -> None:
        """No code can be live where nothing was applied."""
        found = allowed(history("ece"), applied=(), live=None, contract=False)
        assert (ids(found.run), found.held_back, found.why) == ("012", (), None)

    def test_runs_everything_where_no_code_uses_the_database(self) -> None:
        """A fork has no code that could break."""
        found = allowed(history("ece"), applied={"x"}, live=None, contract=False, unused=True)
        assert ids(found.run) == "012"

    @pytest.mark.parametrize(("release", "runs"), [(None, "012"), (live("x"), "0")])
    def test_goes_on_filling_an_empty_database_until_code_is_live(
        self, release: Release | None, runs: str
    ) -> None:
        """What came into the history meanwhile waits; so does all, once somebody says what is live."""
        found = allowed(
            history("ececc"), applied={"x"}, live=release, contract=False, first_fill={"x", "0", "1", "2"}
        )
        assert ids(found.run) == runs

    def test_stops_before_the_first_contract(self) -> None:
        """What follows a contract waits with it."""
        found = allowed(history("eece"), applied={"x"}, live=None, contract=False)
        assert (ids(found.run), ids(found.held_back)) == ("01", "23")

    def test_stops_before_a_contract_that_the_live_code_knows(self) -> None:
        """A contract runs only when it is asked for; the sentence says how."""
        found = allowed(history("c"), applied={"x"}, live=live("x", "0"), contract=False)
        assert ids(found.held_back) == "0"
        assert (found.why or "").endswith(
            "the live code knows it, so go on with: bough migrate apply --contract"
        )

    def test_runs_contracts_that_the_live_code_knows(self) -> None:
        """It was built for the new shape."""
        found = allowed(history("ecc"), applied={"x"}, live=live("x", "0", "1"), contract=True)
        assert (ids(found.run), ids(found.held_back)) == ("01", "2")
        assert "(head 1, since 2026-11-21 10:00 UTC) was built without it: deploy first" in (found.why or "")

    @pytest.mark.parametrize("contract", [False, True])
    def test_asks_for_the_live_code_where_none_is_recorded(self, contract: bool) -> None:  # noqa: FBT001
        """Without a record nothing says that the old shape is not needed."""
        found = allowed(history("c"), applied={"x"}, live=None, contract=contract)
        assert (found.why or "").endswith("say it with: bough migrate live --record")

    def test_holds_back_every_contract_from_code_without_migrations(self) -> None:
        """It knows none of them."""
        found = allowed(history("c"), applied={"x"}, live=live(), contract=True)
        assert "(head none, since" in (found.why or "")

    @given(
        st.text("ec", max_size=8),
        st.sets(st.sampled_from("01234567")),
        st.booleans(),
    )
    def test_divides_the_plan_in_two_and_runs_no_unknown_contract(
        self,
        phases: str,
        known: set[str],
        contract: bool,  # noqa: FBT001
    ) -> None:
        """Nothing is lost or moved, and `why` is given exactly when something waits."""
        plan = history(phases)
        found = allowed(plan, applied={"x"}, live=live(*sorted(known)), contract=contract)
        assert found.run + found.held_back == plan
        assert (found.why is None) == (not found.held_back)
        assert all(each.phase == "expand" or (contract and each.id in known) for each in found.run)


class TestCheckOrder:
    """`check_order`."""

    @pytest.mark.parametrize(
        ("phases", "applied", "misplaced"),
        [
            ("eecc", "", ""),
            ("ece", "", "2"),
            ("ece", "01", ""),
            ("ece", "012", ""),
            ("ecece", "01", "4"),
            ("cee", "", "12"),
        ],
    )
    def test_finds_expands_after_a_waiting_contract(self, phases: str, applied: str, misplaced: str) -> None:
        """A contract that is applied waits for nothing."""
        found = check_order(history(phases), set(applied))
        assert "".join(each.revision for each in found) == misplaced
        assert {each.verdict for each in found} <= {Verdict.UNSAFE}

    def test_is_careful_after_a_contract_that_may_be_applied(self) -> None:
        """Without a database the main git branch's contracts may be applied or not."""
        (found,) = check_order(history("ece"), (), unsure={"0", "1"})
        assert found.verdict is Verdict.CARE
        assert (
            found.message
            == "expand revision 2 comes after contract revision 1, which is perhaps not applied yet"
        )

    def test_leaves_the_main_git_branch_alone(self) -> None:
        """What stands there in this order was accepted there."""
        assert check_order(history("ece"), (), unsure={"0", "1", "2"}) == ()

    def test_is_sure_where_one_of_two_contracts_surely_waits(self) -> None:
        """The worse of two reasons counts."""
        (found,) = check_order(history("cce"), (), unsure={"0"})
        assert (found.verdict, found.hint) == (
            Verdict.UNSAFE,
            "put it before the contract with: bough migrate rebase",
        )
