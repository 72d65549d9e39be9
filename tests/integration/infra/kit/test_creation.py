"""New projects, made of a kit of a few files."""

from __future__ import annotations

import pytest
import yaml

from infra.config import ConfigError
from infra.kit.creation import ANSWERS, KIT, Answers, _name_source, create
from infra.kit.errors import KitFailedError, NoKitError, ProjectRefusedError
from tests.support.small_kit import copied, git

SHOP = Answers("shop", "shop")


def answers_of(project):
    return yaml.safe_load((project / ANSWERS).read_text())


def make(folder, kit, answers=SHOP, *, force=False):
    """Make a project, and return what was announced."""
    said = []
    create(folder, answers, force=force, announce=said.append, kit=kit)
    return said


class TestCreate:
    def test_project_has_its_name_and_a_repository(self, kit, made):
        """What copier asks is answered, and git knows the folder."""
        assert (made / "README.md").read_text() == "# shop\n"
        assert git(made, "rev-parse", "--show-toplevel") == str(made.resolve())
        assert answers_of(made)["_commit"] == git(kit, "describe", "--always")
        assert not (made / "copier.yml").exists()

    @pytest.mark.parametrize(
        ("origin", "source"),
        [
            ("https://ada:secret@example.org/kit", "git+https://example.org/kit"),
            ("git@example.org:team/kit.git", "git@example.org:team/kit.git"),
            ("../upstream", "{parent}/upstream"),
        ],
    )
    def test_updates_come_from_where_the_kit_came_from(self, kit, made, tmp_path, origin, source):
        """Others have no use for a folder of this machine, and no use of a password is made."""
        kit, shop = copied(kit, tmp_path / "kit"), copied(made, tmp_path / "shop")
        git(kit, "remote", "add", "origin", origin)
        _name_source(shop / ANSWERS, kit)
        assert answers_of(shop)["_src_path"] == source.format(parent=tmp_path.resolve())

    def test_kit_that_came_from_nowhere_is_named_itself(self, kit, made):
        """Until it is published, there is nothing else."""
        assert answers_of(made)["_src_path"] == str(kit)

    @pytest.mark.prove
    def test_uncommitted_changes_of_the_kit_are_left_out(self, kit, tmp_path):
        """No later update could find the way back to them."""
        kit = copied(kit, tmp_path / "kit")
        (kit / "api" / "app.py").write_text("CHANGED = 1\n")
        said = make(tmp_path / "shop", kit)
        assert "FIRST" in (tmp_path / "shop" / "api" / "app.py").read_text()
        assert any("not committed" in line for line in said)

    @pytest.mark.prove
    def test_full_folder_is_written_to_by_force_alone(self, kit, tmp_path):
        """What is there and not the kit's stays."""
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(ProjectRefusedError, match="not empty"):
            make(tmp_path, kit)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
        make(tmp_path, kit, force=True)
        assert (tmp_path / "notes.txt").read_text() == "mine"
        assert (tmp_path / "README.md").exists()


class TestRefusals:
    """Nothing is written."""

    @pytest.mark.parametrize(
        ("answers", "error"),
        [
            (Answers("Shop", "shop"), ProjectRefusedError),
            (Answers("shop-", "shop"), ProjectRefusedError),
            (Answers("shop", "shop_api"), ProjectRefusedError),
            (Answers("shop", "shop", region="Frankfurt"), ConfigError),
        ],
    )
    def test_answer_that_cannot_be(self, kit, tmp_path, answers, error):
        """AWS would refuse it much later."""
        with pytest.raises(error):
            make(tmp_path / "shop", kit, answers)
        assert not (tmp_path / "shop").exists()

    def test_name_of_a_package_that_it_needs(self, tmp_path):
        """Its lock would have two of a name, which uv cannot read."""
        with pytest.raises(ProjectRefusedError, match="the project needs") as caught:
            make(tmp_path / "fastapi", KIT, Answers("fastapi", "shop"))
        assert caught.value.hint == "bough init ../fastapi-api"
        assert not (tmp_path / "fastapi").exists()

    def test_folder_inside_the_kit(self, kit):
        """The hint names one beside it."""
        with pytest.raises(ProjectRefusedError) as caught:
            make(kit / "shop", kit)
        assert caught.value.hint == "make it beside that: bough init ../shop"

    def test_project_is_no_kit(self, made, tmp_path):
        """The hint says where the kit is named."""
        with pytest.raises(NoKitError) as caught:
            make(tmp_path / "other", made)
        assert ".copier-answers.yml" in caught.value.hint

    def test_kit_without_a_repository(self, tmp_path):
        """An update would have nothing to compare with."""
        kit = tmp_path / "kit"
        kit.mkdir()
        (kit / "copier.yml").write_text("")
        with pytest.raises(NoKitError, match="no git repository"):
            make(tmp_path / "shop", kit)


class TestFailures:
    def test_what_git_says_is_shown(self, tmp_path):
        """A kit without a commit has no version."""
        kit = tmp_path / "kit"
        kit.mkdir()
        (kit / "copier.yml").write_text("")
        (kit / "uv.lock").write_text("")
        git(kit, "init", "--quiet")
        with pytest.raises(KitFailedError, match="git describe"):
            make(tmp_path / "shop", kit)
