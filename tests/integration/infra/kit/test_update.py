"""Later versions of a kit of a few files, merged into a project that its owner has changed."""

from __future__ import annotations

import pytest

from infra.kit.errors import KitFailedError, UpdateConflictError, UpdateRefusedError
from infra.kit.update import update
from tests.support.small_kit import FILES, commit, copied, git, project_of

APP = FILES["api/app.py"]


@pytest.fixture
def later(kit):
    """Commit to the kit, each time on top of the last, on no git branch; return the commit's id."""
    last = ["main"]

    def change(**contents):
        git(kit, "checkout", "--quiet", "--detach", last[-1])
        try:
            last.append(commit(kit, **contents))
            return last[-1]
        finally:
            git(kit, "checkout", "--quiet", "main")

    return change


@pytest.fixture
def shop(made, tmp_path):
    """A copy of the project, for the test to change."""
    return copied(made, tmp_path / "shop")


def bring(shop, to):
    return update(shop, to=to, announce=lambda _: None)


@pytest.mark.prove
class TestUpdate:
    def test_changes_of_both_are_there(self, shop, later):
        """The kit's, the owner's, and files that the owner has added or deleted."""
        git(shop, "rm", "--quiet", "api/posts.py")
        commit(shop, **{"api/app.py": APP.replace("1", "10"), "api/prices.py": "PRICES = []\n"})
        new = later(
            **{
                "api/app.py": APP.replace("3", "30"),
                "api/posts.py": "POSTS = [1]\n",
                "migrations/versions/next.py": 'revision = "next"\n',
            }
        )
        done = bring(shop, new)
        assert (shop / "api" / "app.py").read_text() == APP.replace("1", "10").replace("3", "30")
        assert not (shop / "api" / "posts.py").exists()
        assert (shop / "api" / "prices.py").exists()
        assert set(done.files) == {"api/app.py", "migrations/versions/next.py"}
        assert done.revisions == ("migrations/versions/next.py",)
        assert new.startswith(done.after)
        assert done.before != done.after

    def test_nothing_new_changes_nothing(self, shop):
        """The last commit of the kit is what the project has."""
        assert bring(shop, None).files == ()
        assert git(shop, "status", "--porcelain") == ""

    def test_files_are_named_as_seen_from_the_project(self, kit, later, tmp_path):
        """Its repository may hold more than the project."""
        git(tmp_path, "init", "--quiet")
        project = project_of(kit, tmp_path / "services" / "shop")
        commit(project, **{"uv.lock": "first = 10\nsecond = 2\n"})
        done = bring(project, later(**{"migrations/versions/naïve.py": "", "api/app.py": ""}))
        assert set(done.files) == {"api/app.py", "migrations/versions/naïve.py"}
        assert done.revisions == ("migrations/versions/naïve.py",)
        commit(project)
        with pytest.raises(UpdateConflictError, match=r"lines of uv\.lock$"):
            bring(project, later(**{"uv.lock": "first = 11\nsecond = 2\n"}))
        assert (project / "uv.lock").read_text() == "first = 11\nsecond = 2\n"

    def test_conflict_is_marked_and_named(self, shop, later):
        """Both versions stand in the file; a lock is the kit's, for `uv lock` to add to."""
        commit(shop, **{"api/app.py": APP.replace("1", "10"), "uv.lock": "first = 10\nsecond = 2\n"})
        new = later(**{"api/app.py": APP.replace("1", "11"), "uv.lock": "first = 11\nsecond = 2\n"})
        with pytest.raises(UpdateConflictError, match=r"api/app\.py, uv\.lock") as caught:
            bring(shop, new)
        assert "uv lock" in caught.value.hint
        text = (shop / "api" / "app.py").read_text()
        assert text.startswith(
            "<<<<<<< before updating\nFIRST = 10\n=======\nFIRST = 11\n>>>>>>> after updating\n"
        )
        assert (shop / "uv.lock").read_text() == "first = 11\nsecond = 2\n"


class TestRefusals:
    """Nothing is changed."""

    def test_tree_with_changes(self, shop):
        """The owner's and the kit's could not be told apart afterwards."""
        (shop / "api" / "app.py").write_text("CHANGED = 1\n")
        with pytest.raises(UpdateRefusedError, match="not committed") as caught:
            bring(shop, None)
        assert "git stash" in caught.value.hint

    def test_what_was_made_otherwise(self, kit):
        """The kit itself is one of these."""
        with pytest.raises(UpdateRefusedError, match="was not made by `bough init`"):
            bring(kit, None)

    def test_version_that_is_not_there(self, shop):
        """Nothing of the kit has that name."""
        with pytest.raises(KitFailedError, match="no-such-version"):
            bring(shop, "no-such-version")
        assert git(shop, "status", "--porcelain") == ""

    @pytest.mark.prove
    def test_older_version(self, shop, kit, later):
        """What the project has since would be taken away."""
        bring(shop, later(**{"api/app.py": APP.replace("3", "30")}))
        commit(shop)
        with pytest.raises(UpdateRefusedError, match="downgrading"):
            bring(shop, git(kit, "rev-parse", "main"))
