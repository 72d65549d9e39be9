"""A rehearsal as Markdown, read as GitHub reads it: CommonMark with tables."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from infra.migrate.findings import Verdict
from infra.migrate.report import MARKER, comment, markdown
from tests.support import rehearsal_samples as samples
from tests.support.rehearsals import ROOT, Part, rehearsal

OURS = {
    *("h3", "h4", "p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "ul", "ol", "li"),
    *("strong", "br", "sub", "details", "summary"),
}


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.names, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)

    def handle_data(self, data):
        self.text += data


def rendered(text):
    return Elements(MarkdownIt("commonmark").enable("table").render(text))


class TestMarkdown:
    def test_verdict_comes_first_and_says_why(self):
        """Whoever reads one line knows."""
        first = markdown(samples.unsafe(), ROOT).splitlines()[0]
        assert first == (
            "### ❌ Unsafe: 2 of 3 revisions, 1 failed check, 421 failed requests, 1 check skipped"
        )

    @pytest.mark.parametrize(
        ("made", "line"),
        [
            (samples.empty, "### ✅ Safe: no revision is pending"),
            (samples.safe, "### ✅ Safe: 1 revision"),
            (samples.concurrent, "### ✅ Safe: 5 revisions"),
        ],
    )
    def test_safe_rehearsals_say_so(self, made, line):
        """A finding that a revision accepts does not count."""
        assert markdown(made(), ROOT).splitlines()[0] == line

    def test_revisions_are_a_table(self):
        """One row each, with what blocked longest."""
        text = markdown(samples.unsafe(), ROOT)
        assert (
            "|2|`20261121_order_ids_become_bigint`|expand|❌ unsafe|3 min 34 s"
            "|`public.orders` 3 min 34 s (reads and writes, ACCESS EXCLUSIVE, 48,000,000 rows)|0"
            "|`public.orders`, `public.orders_pkey`, `public.ix_orders_placed_at`|15 GB|+1.1 GB|"
        ) in text
        assert rendered(text).names.count("tr") == 1 + 3

    def test_findings_have_file_line_and_hint(self):
        """Those that are accepted come last, with the reason."""
        text = markdown(samples.concurrent(), ROOT)
        assert "☑️ **two-tables-locked** `migrations/versions/20261120_orders_user_fk.py:12`" in text
        assert "accepted: both for 3 ms only" in text
        text = markdown(samples.unsafe(), ROOT)
        assert text.index("rewrite-of-large-table") < text.index("much-wal")
        assert "hint: add a new column" in text

    def test_markup_in_names_and_sql_is_text(self):
        """No element, mention or reference is there that is not ours."""
        text = markdown(samples.hostile(), ROOT)
        page = rendered(text)
        assert set(page.names) <= OURS
        assert page.names.count("details") == page.names.count("tr") - 1 == 1
        assert page.names.count("h3") == 1
        assert page.names.count("td") == 10
        outside_code = text.split("#### Statements")[0]
        assert "@octocat" not in outside_code
        assert "<script>" not in outside_code.replace("`" + samples.hostile().base, "")

    def test_every_statement_is_there(self):
        """In details, one per revision, numbered through."""
        page = rendered(markdown(samples.many(), ROOT))
        assert page.names.count("pre") == 60
        assert page.names.count("details") == 9


class TestComment:
    def test_marker_is_the_first_line_and_shows_nothing(self):
        """By it the next run finds the comment."""
        text = comment(samples.safe(), ROOT)
        assert text.startswith(f"{MARKER}\n### ")
        assert MARKER.startswith("<!--")

    @pytest.mark.parametrize("statements", [800, 5_000])
    def test_comment_fits_and_says_what_is_left_out(self, statements):
        """GitHub refuses one of more than 65,536 characters; all elements are closed all the same."""
        text = comment(samples.many(statements, tables=100), ROOT)
        assert len(text) <= 65_536
        assert "do not fit here" in text
        page = MarkdownIt("commonmark").enable("table").render(text)
        assert page.count("<details>") == page.count("</details>")
        assert page.count("<pre>") > 100
        assert text.rstrip().endswith("</sub>")

    def test_many_findings_leave_room_for_the_rest(self):
        """A thousand of them do not push out checks and traffic."""
        message = "very long " * 100
        part = Part("r1", (), findings=(("a-rule", Verdict.CARE, message, None, None),) * 1000)
        text = comment(rehearsal(part, traffic=samples.unsafe().traffic), ROOT)
        assert len(text) <= 65_536
        assert "more findings do not fit here" in text
        assert "#### Checks" in text
        assert "#### Traffic" in text
