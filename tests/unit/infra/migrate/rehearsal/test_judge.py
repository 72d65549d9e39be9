"""What speaks against an upgrade, and what against the probe alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.migrate.rehearsal.compatibility import judge
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.rehearsal.trials import Answer, Trial, Tried

FINE = Trial("users", "INSERT", ok=True, found=True)
REFUSED = Trial("users", "INSERT", ok=False, sqlstate="23514", message="violates check constraint")


def tried(*trials: Trial, answers: tuple[Answer, ...] = ()) -> Tried:
    return Tried(trials, None, answers)


def outcome(before: Trial | None, after: Trial) -> Outcome:
    # Another statement that works, so that the check as a whole can pass.
    other = Trial("users", "SELECT", ok=True)
    base = None if before is None else tried(before, other)
    return judge("code", base, tried(after, other))[0].outcome


class TestTables:
    @pytest.mark.parametrize("sqlstate", ["42703", "42P01", "42804", "3F000", "42501"])
    def test_a_misfit_fails_without_a_base_line(self, sqlstate):
        """What no row of any values could avoid needs no comparison, unless it was so before."""
        misfit = replace(REFUSED, sqlstate=sqlstate)
        assert outcome(None, misfit) is Outcome.FAILED
        assert outcome(REFUSED, misfit) is Outcome.FAILED
        assert outcome(misfit, misfit) is Outcome.PASSED

    def test_a_null_counts_where_the_code_may_leave_the_column_out(self):
        """A column that the code must fill in was only badly made up."""
        null = replace(REFUSED, sqlstate="23502")
        assert outcome(None, replace(null, unforeseen_null=True)) is Outcome.FAILED
        assert outcome(None, null) is Outcome.PASSED

    @pytest.mark.parametrize("sqlstate", ["23514", "23505", "23P01", "22001", "P0001"])
    def test_a_refused_value_counts_when_it_is_not_made_up(self, sqlstate):
        """Only what was accepted before, and is a row's own value or NULL, speaks against the upgrade."""
        refused = replace(REFUSED, sqlstate=sqlstate)
        assert outcome(FINE, refused) is Outcome.FAILED
        assert outcome(FINE, replace(refused, made_up=True)) is Outcome.PASSED
        assert outcome(None, refused) is Outcome.PASSED

    @pytest.mark.parametrize("sqlstate", [None, "55P03", "57014", "08006", "53300", "40P01"])
    def test_what_the_server_had_no_time_or_room_for_is_not_judged(self, sqlstate):
        """Locks, timeouts and lost connections happen on a fork too."""
        assert outcome(FINE, replace(REFUSED, sqlstate=sqlstate)) is Outcome.PASSED

    def test_a_policy_that_refuses_nobody_in_particular_counts_when_it_is_new(self):
        """Its SQLSTATE is that of a missing right."""
        policy = replace(REFUSED, sqlstate="42501", message="new row violates row-level security policy")
        assert outcome(None, policy) is Outcome.PASSED
        assert outcome(FINE, policy) is Outcome.FAILED

    def test_rows_that_can_no_longer_be_seen_fail(self):
        """A policy hides them without an error."""
        assert outcome(FINE, replace(FINE, found=False)) is Outcome.FAILED
        assert outcome(None, replace(FINE, found=False)) is Outcome.PASSED

    def test_nothing_that_could_be_tried_is_no_success(self):
        """The check is skipped, with the reason."""
        (check,) = judge("code", None, tried(REFUSED))
        assert check.outcome is Outcome.SKIPPED
        assert "violates check constraint" in check.detail

    def test_code_that_starts_no_more_fails(self):
        """It did before the upgrade."""
        (check,) = judge("code", tried(FINE), Tried((), "it ended early", ()))
        assert (check.outcome, check.detail) == (Outcome.FAILED, "it ended early")

    def test_other_code_that_does_not_start_is_not_judged(self):
        """It may want a variable that only its deployment has."""
        (check,) = judge("code", tried(FINE), Tried((), "it ended early", ()), same_code=False)
        assert check.outcome is Outcome.SKIPPED

    @pytest.mark.parametrize(
        ("sqlstate", "is_failed"), [("42703", True), ("42P01", True), ("42501", False), ("23514", False)]
    )
    def test_new_code_must_find_what_it_names(self, sqlstate, is_failed):
        """Whatever the code before it lacked; what its role may not do was so before."""
        both = tried(replace(REFUSED, sqlstate=sqlstate))
        (check,) = judge("new code", both, both, same_code=False)
        assert check.outcome is (Outcome.FAILED if is_failed else Outcome.SKIPPED)

    def test_names_five_statements_and_how_many_more(self):
        """A table's equal messages are told once."""
        trials = [replace(REFUSED, table=f"t{n}", sqlstate="42P01", message="is not there") for n in range(7)]
        (check,) = judge("code", None, tried(replace(trials[0], statement="UPDATE"), *trials))
        assert check.detail.startswith("t0: UPDATE, INSERT: is not there; t1: INSERT: is not there; ")
        assert check.detail.endswith("; and 2 more")


class TestSmokeChecks:
    @pytest.mark.parametrize(
        ("before", "after", "outcome"),
        [
            (200, 204, Outcome.PASSED),
            (200, 503, Outcome.FAILED),
            (None, 404, Outcome.FAILED),
            (502, 502, Outcome.SKIPPED),
            (502, 200, Outcome.PASSED),
            (200, 599, Outcome.FAILED),
        ],
    )
    def test_a_path_must_answer_as_well_as_before(self, before, after, outcome):
        """What failed before the upgrade too is not the migration's fault."""
        base = None if before is None else tried(FINE, answers=(Answer("/readyz", before),))
        check = judge("code", base, tried(FINE, answers=(Answer("/readyz", after),)))[1]
        assert (check.name, check.outcome) == ("code: smoke checks", outcome)

    @pytest.mark.parametrize(
        ("status", "assumed", "error", "outcome"),
        [
            (404, True, None, Outcome.SKIPPED),
            (401, True, None, Outcome.SKIPPED),
            (404, False, None, Outcome.FAILED),
            (503, True, None, Outcome.FAILED),
            (502, False, "KeyError at shop/settings.py:3", Outcome.SKIPPED),
            (502, False, None, Outcome.FAILED),
            (503, False, "its process ended early", Outcome.FAILED),
        ],
    )
    def test_what_is_no_verdict_is_said(self, status, assumed, error, outcome):
        """A route that only the kit takes to be there; code that does not start here at all."""
        after = Tried((), error, (Answer("/readyz", status),))
        check = judge("code", None, after, same_code=False, assumed=assumed)[1]
        assert (check.outcome, f"GET /readyz was answered {status}" in check.detail) == (outcome, True)

    def test_checks_that_could_not_be_asked_are_no_success(self):
        """Such as without the runtime client."""
        check = judge("code", None, Tried((), None, (), "awslambdaric is not installed"))[1]
        assert (check.outcome, check.detail) == (Outcome.SKIPPED, "awslambdaric is not installed")
