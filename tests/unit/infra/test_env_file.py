"""`.env` files: our variables are set, and no other byte changes."""

from __future__ import annotations

import io
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from hypothesis import assume, given
from hypothesis import strategies as st

from infra.env_file import EnvFileError, is_ignored, is_tracked, updated, write

if TYPE_CHECKING:
    from pathlib import Path

URL = "postgresql://bough_app:s%27cret@127.0.0.1:6432/app?sslmode=disable&application_name=x"
OURS = {"DATABASE_URL": URL, "DATABASE_URL_UNPOOLED": "postgresql://h/d"}


def others(text: str) -> str:
    """Return the text without our assignments, byte for byte; spaces and lines before them stay."""
    kept = []
    for each in parse_stream(io.StringIO(text.removeprefix("\ufeff"), newline="")):
        statement = each.original.string
        is_ours = each.key in OURS
        kept.append(statement[: len(statement) - len(statement.lstrip())] if is_ours else statement)
    return "".join(kept)


class TestUpdated:
    """`updated`: the text of a file."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", "A=x\n"),
            ("B=1\n", "B=1\nA=x\n"),
            ("B=1", "B=1\nA=x\n"),
            ("B=1\r\n", "B=1\r\nA=x\r\n"),
            ("\ufeffB=1\n", "\ufeffB=1\nA=x\n"),
            ("A=old\nB=1\n", "A=x\nB=1\n"),
            ("A=old", "A=x"),
            ("A=old\r\nB=1\r\n", "A=x\r\nB=1\r\n"),
            ("export A=old\n", "export A=x\n"),
            ("  A = old  # why\n", "  A = x  # why\n"),
            ("A= # why\n", "A= x # why\n"),
            ("A='old'\n", "A='x'\n"),
            ('A="old" # why\n', 'A="x" # why\n'),
            ("A=\n", "A=x\n"),
            ("A\n", "A=x\n"),
            ("A=1\nB=2\nA=3\n", "A=x\nB=2\nA=x\n"),
            ("# A=old\n", "# A=old\nA=x\n"),
            ('A="two\nlines"\nB=1\n', 'A="x"\nB=1\n'),
            ("B='\nA=not ours\n'\n", "B='\nA=not ours\n'\nA=x\n"),
            ("AA=1\nA_A=2\n", "AA=1\nA_A=2\nA=x\n"),
            ("\n\n\nA=old\n\n", "\n\n\nA=x\n\n"),
        ],
    )
    def test_sets_one_variable(self, before: str, after: str) -> None:
        """Where it stood, in the quotes that it had; else at the end."""
        assert updated(before, {"A": "x"}) == after
        assert updated(after, {"A": "x"}) == after

    def test_quotes_what_a_shell_would_take_apart(self) -> None:
        """`source .env` reads what python-dotenv reads."""
        text = updated("", OURS)
        done = subprocess.run(
            ["sh", "-c", f'{text}printf %s "$DATABASE_URL"'], capture_output=True, text=True, check=True
        )
        assert done.stdout == URL
        assert dotenv_values(stream=io.StringIO(text)) == OURS

    @pytest.mark.parametrize("value", ["a'b", "a\nb", "a\\b"])
    def test_refuses_what_readers_disagree_on(self, value: str) -> None:
        """No connection URL holds such a character."""
        with pytest.raises(EnvFileError, match="cannot be written"):
            updated("", {"A": value})

    def test_quote_that_ours_would_close_is_refused(self) -> None:
        """Else `A` would become what stands between its quote and ours."""
        with pytest.raises(EnvFileError, match="could not be read again"):
            updated("A='\nDATABASE_URL=\nDATABASE_URL=\n", OURS)

    @given(
        lines=st.lists(
            st.one_of(
                st.from_regex(
                    r"(export )?[A-C]_?[A-C]?\s?=\s?['\"]?[a-z#$ \\]{0,5}['\"]?( # [a-z]*)?", fullmatch=True
                ),
                st.sampled_from(
                    ["", "# note", "DATABASE_URL=old", 'export DATABASE_URL="a b"', "?", "'", "DATABASE_URL"]
                ),
                st.text(alphabet="AB='\"# \t\\é", max_size=8),
            ),
            max_size=8,
        ),
        newline=st.sampled_from(["\n", "\r\n"]),
        end=st.sampled_from(["", "\n"]),
        bom=st.sampled_from(["", "\ufeff"]),
    )
    def test_other_lines_are_identical(self, lines: list[str], newline: str, end: str, bom: str) -> None:
        """Whatever stands there; ours are read back, and a second time changes nothing."""
        before = bom + newline.join(lines) + end
        try:
            after = updated(before, OURS)
        except EnvFileError:
            assume(False)
        kept = others(before)
        assert others(after).startswith(kept)
        assert others(after).removeprefix(kept) in {"", "\n", "\r\n", "\r"}
        assert after.startswith(bom)
        assert updated(after, OURS) == after


class TestWrite:
    """`write`: the file."""

    def test_new_file_is_private(self, tmp_path: Path) -> None:
        """It holds passwords."""
        write(tmp_path / ".env", OURS)
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        assert dotenv_values(tmp_path / ".env") == OURS

    def test_keeps_mode_link_and_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        """A file of somebody's, reached through a symbolic link."""
        (tmp_path / "real").write_bytes(b"# caf\xe9\nA=1")
        (tmp_path / "real").chmod(0o640)
        (tmp_path / ".env").symlink_to("real")
        write(tmp_path / ".env", {"B": "2"})
        assert (tmp_path / ".env").is_symlink()
        assert (tmp_path / "real").read_bytes() == b"# caf\xe9\nA=1\nB=2\n"
        assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640
        assert sorted(each.name for each in tmp_path.iterdir()) == [".env", "real"]

    def test_failure_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        """An unclosed quote would swallow what is appended."""
        file = tmp_path / ".env"
        file.write_text("A='open\n")
        with pytest.raises(EnvFileError, match="could not be read again") as caught:
            write(file, OURS)
        assert (file.read_text(), list(tmp_path.iterdir())) == ("A='open\n", [file])
        assert "s%27cret" not in str(caught.value)

    def test_refuses_what_is_no_file(self, tmp_path: Path) -> None:
        """A folder, a device."""
        with pytest.raises(EnvFileError, match="is not a file"):
            write(tmp_path, OURS)


class TestGit:
    """`is_tracked`, `is_ignored`: what git would publish."""

    def test_tells_tracked_ignored_and_neither(self, tmp_path: Path) -> None:
        """Asked of git itself."""
        for command in (["init", "-q"], ["add", "-f", ".env"]):
            (tmp_path / ".env").touch()
            subprocess.run(["git", *command], cwd=tmp_path, check=True)
        (tmp_path / ".gitignore").write_text(".env.local\n")
        assert is_tracked(tmp_path / ".env")
        assert not is_tracked(tmp_path / ".env.local")
        assert is_ignored(tmp_path / ".env.local")
        assert not is_ignored(tmp_path / ".env.production")

    def test_outside_of_a_repository_nothing_is_published(self, tmp_path: Path) -> None:
        """No repository, no commit."""
        assert not is_tracked(tmp_path / ".env")
        assert is_ignored(tmp_path / ".env")
