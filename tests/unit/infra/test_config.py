"""What `[tool.bough]` may say, and how it is told what it may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra.config import Project, load_project
from infra.config_tables import BranchSettings, ConfigError, StageSettings

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    """Write pyproject.toml into a folder, made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text)
    return folder


class TestLoadProject:
    """`load_project`."""

    def test_reads_every_key(self, tmp_path: Path) -> None:
        """Each key of the table ends up in the project."""
        text = """
            [project]
            name = "shop"
            [project.optional-dependencies]
            files = ["files>=1"]
            [tool.bough]
            app = "shop.main:factory.app"
            handler = "shop/entry.run"
            include = ["shared", "templates/*.html"]
            extras = ["files"]
            metadata = "shop.tables:metadata"
            migrations = "db/migrations"
            [tool.bough.branches]
            provider = "neon"
            project = "silent-sea-1"
            database = "shop"
            owner_role = "shop_owner"
            application_role = "shop_app"
        """
        assert load_project(write(tmp_path, text)) == Project(
            root=tmp_path.resolve(),
            name="shop",
            app="shop.main:factory.app",
            handler="shop/entry.run",
            include=("shared", "templates/*.html"),
            extras=("files",),
            metadata="shop.tables:metadata",
            migrations="db/migrations",
            branches=BranchSettings("neon", "silent-sea-1", "shop", "shop_owner", "shop_app"),
        )

    def test_has_defaults_without_the_table(self, tmp_path: Path) -> None:
        """A project that says nothing about bough gets the defaults and its folder's name."""
        assert load_project(write(tmp_path / "shop", "")) == Project(
            root=(tmp_path / "shop").resolve(), name="shop"
        )

    def test_walks_up_to_the_table_past_a_nearer_pyproject(self, tmp_path: Path) -> None:
        """A package of a workspace has its own pyproject.toml; the table lies further up."""
        write(tmp_path, '[tool.bough]\napp = "a:b"')
        inner = write(tmp_path / "packages" / "inner", "[project]\nname = 'inner'")
        assert load_project(inner).root == tmp_path.resolve()

    def test_takes_the_nearest_pyproject_without_any_table(self, tmp_path: Path) -> None:
        """Without a table anywhere, the nearest project is meant."""
        write(tmp_path, "")
        inner = write(tmp_path / "inner", "")
        assert load_project(inner).root == inner.resolve()

    def test_refuses_a_folder_outside_of_projects(self, tmp_path: Path) -> None:
        """Without any pyproject.toml the error says where it looked."""
        with pytest.raises(ConfigError, match=r"no pyproject\.toml in .* or above it"):
            load_project(tmp_path)

    def test_names_the_nearest_key_for_an_unknown_one(self, tmp_path: Path) -> None:
        """A misspelt key is not ignored."""
        with pytest.raises(ConfigError, match="no key 'handlr'") as caught:
            load_project(write(tmp_path, '[tool.bough]\nhandlr = "a.b"'))
        assert caught.value.hint == "did you mean 'handler'?"

    def test_reads_every_table(self, tmp_path: Path) -> None:
        """Numbers and lists of the tables arrive with their types."""
        text = "[tool.bough.migrate]\nlock_timeout = 2\nlarge_table = 5\n"
        text += '[tool.bough.smoke]\nchecks = ["/readyz", "/posts"]\n'
        project = load_project(write(tmp_path, text))
        assert (project.migrate.lock_timeout, project.migrate.large_table) == (2, 5)
        assert project.smoke.checks == ("/readyz", "/posts")

    def test_reads_stages(self, tmp_path: Path) -> None:
        """Each by its name; `production`, on the default branch, only where none is named."""
        text = '[tool.bough.stages.live]\nbranch = "main"\n[tool.bough.stages.staging]'
        stages = load_project(write(tmp_path / "two", text)).stages
        assert stages == {"live": StageSettings("main"), "staging": StageSettings()}
        assert load_project(write(tmp_path / "none", "")).stages == {"production": StageSettings()}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('[tool.bough.migrate]\nlock_timeout = "2"', "lock_timeout in .* must be a number, not a string"),
            ("[tool.bough.migrate]\nattempts = 1.5", "attempts in .* must be an integer, not a float"),
            ("[tool.bough.migrate]\nattempts = true", "attempts in .* must be an integer, not a boolean"),
            ("[tool.bough.migrate]\nattempts = 0", "attempts in .* must be more than 0"),
            ("[tool.bough.smoke]\nchecks = [1]", "checks in .* must be a list of strings"),
            ('[tool.bough.smoke]\nchecks = ["https://a/b"]', "'https://a/b' is no path"),
            ('[tool.bough.smoke]\nchecks = ["//a/b"]', "'//a/b' is no path"),
            ("[tool.bough]\nsmoke = 1", "must be a table, not an integer"),
            ('[tool.bough.aws]\nregion = "Frankfurt"', "region in .* must be a region, such as eu-central-1"),
            ("[tool.bough.aws]\naccount = 123456789012", "account in .* must be a string"),
            ('[tool.bough.aws]\naccount = "12"', "account in .* must be an account's twelve digits"),
            ('[tool.bough.aws]\nservice = "My Shop"', "service in .* must be lower-case letters"),
            ('[tool.bough.aws]\nruntime = "python3.10"', "runtime in .* must be python3.11"),
            ('[tool.bough.aws]\narchitecture = "arm"', "architecture in .* must be arm64 or x86_64"),
            ("[tool.bough]\nstages = 1", r"\[tool.bough.stages\] in .* must be a table, not an integer"),
            ("[tool.bough.stages]\nlive = 1", r"stages.live\] in .* must be a table, not an integer"),
            ("[tool.bough.stages.Live]", "'Live' is no name of a stage"),
            ('[tool.bough.stages.live]\nkms_alias = "shop"', "kms_alias in .* must be a key's alias"),
            ("[tool.bough.stages.live]\nbranch = 1", r"stages.live\] branch in .* must be a string"),
            ('[tool.bough.stages.live]\nbranc = "a"', r"stages.live\] in .* has no key 'branc'"),
        ],
    )
    def test_refuses_a_value_of_another_kind(self, tmp_path: Path, text: str, reason: str) -> None:
        """What a table's key cannot hold is named with its key and file."""
        with pytest.raises(ConfigError, match=reason):
            load_project(write(tmp_path, text))

    def test_lists_the_keys_for_one_like_no_other(self, tmp_path: Path) -> None:
        """A key that resembles none gets the list."""
        with pytest.raises(ConfigError) as caught:
            load_project(write(tmp_path, "[tool.bough]\nzzz = 1"))
        assert caught.value.hint == (
            "the keys are app, handler, include, extras, metadata, migrations, branches, migrate, smoke,"
            " aws, stages"
        )

    @pytest.mark.parametrize(
        ("declared", "hint"),
        [
            ("a = []\nb = []", r"\[project\.optional-dependencies\] has a, b"),
            ("", r"declare it under \[project\.optional-dependencies\]"),
        ],
    )
    def test_names_the_extras_for_an_unknown_one(self, tmp_path: Path, declared: str, hint: str) -> None:
        """An extra that is not declared would be missed only when the function runs."""
        text = f"[project.optional-dependencies]\n{declared}\n[tool.bough]\nextras = ['supabse']"
        with pytest.raises(ConfigError, match="there is no extra 'supabse'") as caught:
            load_project(write(tmp_path, text))
        assert re.fullmatch(hint, caught.value.hint or "")

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("app = 1", "app .* must be a string, not an integer"),
            ('extras = "supabase"', "extras .* must be a list of strings"),
            ("app = true", "app .* must be a string, not a boolean"),
            ('app = "shop.main"', "app .* must be an import string"),
            ('app = "shop.main:"', "app .* must be an import string"),
            ('app = "shop main:app"', "app .* must be an import string"),
            ('handler = "handler"', "handler .* must be Lambda's notation"),
            ('handler = "a.b:c"', "handler .* must be Lambda's notation"),
            ('metadata = "models"', "metadata .* must be an import string"),
            ('migrations = "/etc"', "migrations .* must be a folder"),
            ('migrations = ""', "migrations .* must be a folder"),
            ('include = "shared"', "include .* must be a list of strings"),
            ("include = [1]", "include .* must be a list of strings"),
            ('include = ["../other"]', "leads out of the project"),
            ('include = ["/etc"]', "leads out of the project"),
            ("branches = 1", r"\[tool\.bough\.branches\] .* must be a table"),
            ('branches = {projekt = "p"}', r"\[tool\.bough\.branches\] .* no key 'projekt'"),
            ('branches = {project = " "}', "project .* must be a string that is not empty"),
            ('branches = {project = "p"}', "project .* does not say whose it is"),
            ("branches = {database = 1}", "database .* must be a string that is not empty"),
        ],
    )
    def test_refuses_a_wrong_value_by_name(self, tmp_path: Path, line: str, complaint: str) -> None:
        """A wrong type or form is named with its key and file."""
        with pytest.raises(ConfigError, match=complaint):
            load_project(write(tmp_path, f"[tool.bough]\n{line}"))

    @pytest.mark.parametrize("text", ['tool = {bough = "x"}', '[tool]\nbough = ["x"]'])
    def test_refuses_a_table_that_is_none(self, tmp_path: Path, text: str) -> None:
        """`bough` itself must be a table."""
        with pytest.raises(ConfigError, match="must be a table"):
            load_project(write(tmp_path, text))

    def test_refuses_what_is_not_toml(self, tmp_path: Path) -> None:
        """A syntax error names the file and the line."""
        with pytest.raises(ConfigError, match=r"pyproject\.toml is not valid TOML: .*line 2"):
            load_project(write(tmp_path, "[tool.bough]\napp =\n"))
