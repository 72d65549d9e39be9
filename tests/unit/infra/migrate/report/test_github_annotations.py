"""Findings as workflow commands."""

from __future__ import annotations

from infra.migrate.findings import Finding, Verdict
from infra.migrate.report import annotations
from tests.support.rehearsals import ROOT


def finding(verdict=Verdict.UNSAFE, message="what", suppressed=None, hint=None, path="migrations/a.py"):
    return Finding("a-rule", verdict, message, "r1", ROOT / path, 7, hint, suppressed)


class TestAnnotations:
    def test_levels_follow_verdicts_and_the_worst_comes_first(self):
        """GitHub shows only the first ten; what is suppressed is told, and last."""
        text = annotations([finding(Verdict.CARE), finding(suppressed="tiny"), finding()], ROOT)
        assert text.splitlines() == [
            "::error file=migrations/a.py,line=7,title=a-rule::what",
            "::warning file=migrations/a.py,line=7,title=a-rule::what",
            "::notice file=migrations/a.py,line=7,title=a-rule::what%0Aaccepted: tiny",
        ]

    def test_nothing_found_is_nothing_written(self):
        """No empty line either."""
        assert annotations([], ROOT) == ""

    def test_text_can_end_neither_value_nor_command(self):
        """A line break would begin another command; a comma another property."""
        text = annotations(
            [finding(message="100 %\r\n::set-output::x", hint="a, b: c", path="odd,na:me%.py")], ROOT
        )
        assert text == (
            "::error file=odd%2Cna%3Ame%25.py,line=7,title=a-rule"
            "::100 %25%0D%0A::set-output::x%0Ahint: a, b: c\n"
        )
