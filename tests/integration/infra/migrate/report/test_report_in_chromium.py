"""The page in a real browser: it shows, does nothing else, and fits."""

from __future__ import annotations

import json
import re
from html import escape, unescape

import pytest

from infra.migrate.report import html
from tests.support import rehearsal_samples as samples
from tests.support.chromium import Chromium
from tests.support.png import colours
from tests.support.rehearsals import ROOT

PAGES = {
    "empty": samples.empty,
    "safe": samples.safe,
    "concurrent": samples.concurrent,
    "unsafe": samples.unsafe,
    "many": samples.many,
    "hostile": samples.hostile,
}
WIDTHS = (1280, 400)

#: Looks into every frame from outside: the page itself allows no script.
MEASURE = """
<pre id="found"></pre>
<script>
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const box = page.querySelector("svg.timeline");
    const right = box ? box.getBoundingClientRect().right : 0;
    const bottom = box ? box.getBoundingClientRect().bottom : 0;
    found[frame.name] = {
      title: page.title,
      text: page.body.innerText,
      width: page.documentElement.scrollWidth,
      scripts: page.querySelectorAll("script, img, iframe").length,
      outside: [...page.querySelectorAll("svg.timeline text")].filter(label => {
        const place = label.getBoundingClientRect();
        return place.right > right + 1 || place.bottom > bottom + 1;
      }).map(label => label.textContent),
      clash: [...page.querySelectorAll("svg.timeline text:not(.lane)")].filter((label, index, all) => {
        const a = label.getBoundingClientRect();
        return a.width && all.slice(index + 1).some(other => {
          const b = other.getBoundingClientRect();
          return b.width && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4
            && b.top < a.bottom - 4;
        });
      }).map(label => label.textContent),
    };
  }
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Chromium(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """What the browser made of every page in both widths, and its console."""
    frames = "".join(
        f'<iframe name="{name}-{width}" width="{width}" height="800" style="border: 0"'
        f' srcdoc="{escape(html(made(), ROOT))}"></iframe>'
        for name, made in PAGES.items()
        for width in WIDTHS
    )
    page = tmp_path_factory.mktemp("pages") / "frames.html"
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{frames}{MEASURE}', encoding="utf-8")
    dom, console = browser.dom(page)
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)[1]
    return json.loads(unescape(found)), console


class TestReportInChromium:
    @pytest.mark.parametrize("name", PAGES)
    @pytest.mark.parametrize("width", WIDTHS)
    def test_page_shows_and_fits(self, opened, name, width):
        """Nothing is wider than the window; wide tables and the chart scroll in their own place."""
        found = opened[0][f"{name}-{width}"]
        assert found["width"] <= width
        assert found["text"].strip()

    @pytest.mark.parametrize("name", PAGES)
    def test_no_label_of_the_chart_is_cut_or_covered(self, opened, name):
        """By this browser's fonts, which are wide ones."""
        found = opened[0][f"{name}-1280"]
        assert found["outside"] == []
        assert found["clash"] == []

    def test_markup_in_names_and_sql_is_inert(self, opened):
        """No script ran, no element was made of it, and all of it can be read."""
        found = opened[0]["hostile-1280"]
        assert found["title"].startswith("Unsafe: 1 of 1 revision")
        assert found["scripts"] == 0
        assert '<script>document.title="run"</script>' in found["text"]

    def test_console_stays_empty(self, opened):
        """No error, no request that the policy refused."""
        assert opened[1] == []

    def test_picture_has_the_chart_in_it(self, browser, tmp_path):
        """It is no blank page: the colours of what blocks are there, and most of it is paper."""
        page = tmp_path / "safe.html"
        page.write_text(html(samples.safe(), ROOT), encoding="utf-8")
        size, counted = colours(browser.screenshot(page, width=640, height=640))
        assert size == (640, 640)
        assert counted[255, 255, 255] > 150_000
        # What blocks everything, and the statements over it.
        assert counted[0xB3, 0x20, 0x2C] > 1_000
        assert counted[0x3A, 0x45, 0x52] > 1_000
