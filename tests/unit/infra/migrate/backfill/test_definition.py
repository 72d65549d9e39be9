"""Definitions of backfills, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.config import Project
from infra.migrate.backfill.definition import Definition, folder, names, read
from infra.migrate.backfill.errors import BackfillInvalidError, BackfillUnknownError

if TYPE_CHECKING:
    from pathlib import Path

TABLE = 'table = "users"\n'
WHERE = 'where = "note IS NULL"\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(root=tmp_path, name="shop")
    folder(found).mkdir(parents=True)
    return found


def write(project: Project, text: str, name: str = "fill") -> None:
    (folder(project) / f"{name}.toml").write_text(text)


class TestRead:
    """`read`."""

    def test_reads_a_change(self, project: Project) -> None:
        """What, where, and for whom it may concern."""
        write(project, f"""description = "Fill."\n{TABLE}{WHERE}set = "note = ''"\n""")
        assert read(project, "fill") == Definition("fill", "Fill.", "users", "note = ''", "note IS NULL")

    def test_reads_a_deletion(self, project: Project) -> None:
        """Nothing is set then."""
        write(project, f"{TABLE}{WHERE}delete = true\n")
        assert read(project, "fill") == Definition("fill", "", "users", None, "note IS NULL")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f"{TABLE}set = 'a = 1'", "has no key 'where'"),
            (f"{WHERE}set = 'a = 1'", "has no key 'table'"),
            (f"{TABLE}{WHERE}", "either set or delete"),
            (f"{TABLE}{WHERE}delete = false", "either set or delete"),
            (f"{TABLE}{WHERE}set = 'a = 1'\ndelete = true", "either set or delete"),
            (f"{TABLE}{WHERE}set = 1", "must be a string"),
            (f"{TABLE}{WHERE}set = '  '", "must be a string"),
            (f"{TABLE}{WHERE}delete = 'yes'", "must be true or false"),
            (f"{TABLE}{WHERE}sets = 'a = 1'", "no use for the key 'sets'"),
            ("table =", "cannot be read"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, project: Project, text: str, said: str) -> None:
        """The message names the file and the key."""
        write(project, text)
        with pytest.raises(BackfillInvalidError, match=said) as caught:
            read(project, "fill")
        assert "fill.toml" in str(caught.value)

    @pytest.mark.parametrize("name", ["other", "../fill", "", "Fill", "fill.toml"])
    def test_names_those_that_there_are(self, project: Project, name: str) -> None:
        """No path leads out of the folder."""
        write(project, "")
        with pytest.raises(BackfillUnknownError) as caught:
            read(project, name)
        assert caught.value.hint == "there are: fill"

    def test_refuses_a_file_that_nobody_could_name(self, project: Project) -> None:
        """A list of all would leave it out, and its author wonder."""
        write(project, "", "Fill it")
        with pytest.raises(BackfillInvalidError, match=r"Fill it\.toml cannot be"):
            read(project, "Fill it")


class TestNames:
    """`names`."""

    def test_lists_the_files_in_order(self, project: Project) -> None:
        """Whatever is in them; none where there is no folder."""
        write(project, "", "b")
        write(project, "", "a")
        assert names(project) == ("a", "b")
        assert names(Project(root=project.root / "elsewhere", name="shop")) == ()
