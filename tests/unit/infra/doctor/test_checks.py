from __future__ import annotations

import threading

from infra.doctor.checks import Check, Finding, NotCheckedError, Status, examine, failed, ok, warning
from infra.errors import InfraError


def raising(error):
    def ask():
        raise error

    return ask


class TestExamine:
    def test_finds_everything_in_the_checks_order(self):
        """The order of the findings is that of the checks, whichever ends first."""
        second_done = threading.Event()

        def first():
            second_done.wait(5)
            return ok("first")

        def second():
            second_done.set()
            return warning("second", "mend it")

        found = examine([Check("first", first), Check("second", second)], seconds=10)
        assert list(found.items()) == [
            ("first", Finding(Status.OK, "first")),
            ("second", Finding(Status.WARNING, "second", "mend it")),
        ]

    def test_gives_up_on_a_check_that_takes_too_long(self):
        """The others' findings are there, and nothing waits for the one that hangs."""
        never = threading.Event()
        found = examine(
            [Check("hangs", lambda: ok(str(never.wait()))), Check("quick", lambda: ok("done"))], seconds=0.05
        )
        assert found["hangs"] == failed("no answer within 0.05 s", "try again; --timeout gives it longer")
        assert found["quick"] == ok("done")

    def test_makes_findings_of_errors(self):
        """What is not there is a warning; a declared error brings its hint."""
        found = examine(
            [
                Check("missing", raising(NotCheckedError("there is no URL"))),
                Check("declared", raising(InfraError("it broke", hint="mend it"))),
            ],
            seconds=10,
        )
        assert found == {
            "missing": Finding(Status.WARNING, "not checked: there is no URL"),
            "declared": failed("it broke", "mend it"),
        }

    def test_does_not_quote_an_unexpected_error(self):
        """A driver's error may hold the connection string: only its type is told."""
        found = examine([Check("broken", raising(ValueError("postgresql://u:hunter2@h")))], seconds=10)
        assert found["broken"].found == "the check itself broke: ValueError"
