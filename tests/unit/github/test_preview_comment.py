"""`.github/preview-comment`: one comment for each pull request, in a size that GitHub takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / ".github" / "preview-comment"

#: Answers with the id of a comment that is there, and keeps what it was asked and the body that it was given.
GH = """#!/bin/sh
echo "$*" >> "$RUNNER_TEMP/asked"
case "$*" in *--paginate*) echo "$COMMENT_ID";; esac
"""


@pytest.fixture
def say(tmp_path):
    """Run the script; return the body of the comment and the last thing that GitHub was asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    (tmp_path / "rehearsal").write_text("<!-- bough-rehearsal -->\n**Rehearsal**: safe\n")

    def run(*, url="https://preview", rehearsal="rehearsal", diff="", comment_id=""):
        (tmp_path / "schema.diff").write_text(diff)
        environment = {
            "COMMENT_ID": comment_id,
            "COMMIT": "0123456789abcdef",
            "GITHUB_REPOSITORY": "example/shop",
            "NUMBER": "12",
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "REHEARSAL": str(tmp_path / rehearsal) if rehearsal else "",
            "RUNNER_TEMP": str(tmp_path),
            "URL": url,
        }
        subprocess.run([SCRIPT], env=environment, check=True)
        body = (tmp_path / "preview-comment.md").read_text()
        return body, (tmp_path / "asked").read_text().splitlines()[-1]

    return run


class TestPreviewComment:
    def test_says_url_difference_and_rehearsal(self, say):
        """The first line finds the comment again."""
        body, asked = say(diff="+CREATE TABLE prices ();\n")
        assert body.startswith("<!-- bough-preview -->\n**Preview** of 012345678: https://preview\n")
        assert "~~~~~diff\n+CREATE TABLE prices ();\n~~~~~" in body
        assert body.endswith("**Rehearsal**: safe\n")
        assert asked.startswith("api --silent repos/example/shop/issues/12/comments -F body=@")

    def test_comment_that_is_there_is_changed(self, say):
        """A pull request has one, however often it is pushed to."""
        _, asked = say(comment_id="77")
        assert "-X PATCH repos/example/shop/issues/comments/77 " in asked

    def test_comment_of_somebody_else_is_not_taken_for_it(self, say, tmp_path):
        """Who writes the marker first could change the URL that everybody trusts."""
        say()
        assert "github-actions[bot]" in (tmp_path / "asked").read_text().splitlines()[0]

    def test_preview_that_failed_is_said(self, say):
        """Nobody takes the URL of an older commit for this one's."""
        body, _ = say(url="", rehearsal="")
        assert "**There is no preview** of 012345678" in body

    def test_difference_that_is_too_long_is_left_out(self, say):
        """GitHub would refuse the whole comment."""
        body, _ = say(diff="+x\n" * 30_000)
        assert "longer than a comment may be" in body
        assert len(body) < 65_536
