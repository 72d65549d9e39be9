"""The page, as a browser would read it; `test_report_in_chromium` has one read it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from infra.migrate.report import html
from tests.support import rehearsal_samples as samples
from tests.support.rehearsals import ACCESS_EXCLUSIVE, ROOT, Part, Step, rehearsal

ALL = [samples.empty, samples.safe, samples.concurrent, samples.unsafe, samples.many, samples.hostile]


class Page(HTMLParser):
    """A page's elements with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def count(self, tag, style=""):
        return sum(name == tag and style in (given.get("class") or "") for name, given in self.elements)


def page(rehearsal):
    return Page(html(rehearsal, ROOT))


class TestHtml:
    @pytest.mark.parametrize("made", ALL)
    def test_page_needs_nothing_but_itself(self, made):
        """No script, no request, and a policy that allows neither."""
        found = page(made())
        assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {
            tag for tag, _ in found.elements
        }
        targets = [given[name] for _, given in found.elements for name in ("href", "src") if name in given]
        assert all(target.startswith("#") for target in targets)
        assert not any(name.startswith("on") for _, given in found.elements for name in given)
        policy = [given["content"] for tag, given in found.elements if "http-equiv" in given]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
        style = re.search(r"<style>(.*?)</style>", html(made(), ROOT), re.DOTALL)[1]
        assert "@import" not in style
        assert re.findall(r"url\((?!#)", style) == []

    @pytest.mark.parametrize("made", ALL)
    def test_every_link_has_its_target_once(self, made):
        """Statements in the chart lead to the table, revisions to their part."""
        found = page(made())
        ids = [given["id"] for _, given in found.elements if "id" in given]
        assert len(ids) == len(set(ids))
        links = {given["href"][1:] for tag, given in found.elements if tag == "a"}
        assert links <= set(ids)

    def test_verdict_and_reasons_come_first(self):
        """Then the finding that counts most."""
        text = page(samples.unsafe()).text
        assert "Unsafe: 2 of 3 revisions, 1 failed check, 421 failed requests" in text
        assert text.index("rewrite-of-large-table") < text.index("much-wal")

    def test_failed_checks_are_findings_too(self):
        """They decide the verdict: nobody should have to look for them."""
        text = page(samples.unsafe()).text
        assert text.index("deployed code works") < text.index("rewrite-of-large-table")

    def test_nothing_pending_has_no_chart(self):
        """And says so."""
        found = page(samples.empty())
        assert "Safe: no revision is pending" in found.text
        assert found.count("svg") == 0

    def test_revision_without_statements_has_no_chart(self):
        """It is in the table all the same."""
        found = page(rehearsal(Part("20261121_nothing", ())))
        assert found.count("svg") == 0
        assert "20261121_nothing" in found.text

    def test_chart_has_a_bar_for_each_statement_and_lock(self):
        """Classes say what is blocked; sampled ones are marked."""
        found = page(samples.concurrent())
        assert found.count("rect", "statement") == 5
        assert found.count("rect", "lock everything") == 2
        assert found.count("rect", "lock writes") == 2
        assert found.count("rect", "lock passes") == 3
        assert found.count("rect", "sampled") == 1
        assert found.count("line", "edge contract") == 1

    def test_tables_say_what_the_chart_says(self):
        """Without seeing it one misses nothing."""
        text = page(samples.concurrent()).text
        assert "SHARE UPDATE EXCLUSIVE" in text
        assert "≈ 412 ms" in text
        chart = next(given for tag, given in page(samples.concurrent()).elements if tag == "svg")
        assert chart["role"] == "img"
        assert chart["aria-label"].startswith("Locks on 2 relations in 636 ms")

    def test_shortened_modes_are_explained(self):
        """Only those that the chart shortens."""
        text = page(samples.concurrent()).text
        assert "AE: ACCESS EXCLUSIVE, SRE: SHARE ROW EXCLUSIVE." in text

    def test_relations_beyond_the_chart_are_counted(self):
        """The most blocked have lanes, all are in the tables."""
        found = page(samples.many(120, tables=60))
        assert "20 more relations that were blocked less are in the tables only" in found.text
        assert found.count("text", "lane") == 1 + 40

    def test_long_sql_opens_and_endless_sql_is_cut(self):
        """A page of many megabytes would help nobody."""
        sql = "INSERT INTO users VALUES " + "(1), " * 100_000
        made = rehearsal(Part("r1", (Step(sql, 1, (("public.users", ACCESS_EXCLUSIVE, 5),)),)))
        text = html(made, ROOT)
        assert len(text) < 60_000
        assert "more characters" in text

    def test_control_characters_are_shown_as_unknown(self):
        """HTML has no way to write them, and a file none for half a character."""
        made = rehearsal(Part("r1", (Step("SELECT '\x00\x1b\ud800'", 1, ()),)))
        assert "SELECT '\ufffd\ufffd\ufffd'" in html(made, ROOT)
