"""Which provider, project and branch a command means: who has the last word, and what is never mixed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import link
from infra.branches.errors import BranchNameMissingError
from infra.config import Project
from infra.config_tables import BranchSettings, ConfigError
from infra.context import Setting, resolve
from infra.link import Link

NEON_LINK = Link("neon", "linked-project", "br-linked", "dev")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def context(root: Path, *, flags=None, environment=None, **settings: str):
    """Resolve for a project whose `[tool.bough.branches]` has these settings."""
    project = Project(root, "shop", branches=BranchSettings(**settings))
    return resolve(project, flags=flags or {}, environment=environment or {})


class TestPrecedence:
    """Flags, then environment, then link, then pyproject.toml, then defaults."""

    def test_defaults_are_the_local_world(self, root: Path) -> None:
        """Nothing said anywhere: local branches, none of them pinned."""
        found = context(root)
        assert found.provider == Setting("local", "default")
        assert found.branch == Setting(None, "not set")
        assert found.application_role == Setting("bough_app", "default")
        assert found.api_host.value is None

    def test_pyproject_is_above_defaults(self, root: Path) -> None:
        """What a team shares."""
        found = context(root, provider="neon", project="shared-project", database="shop")
        assert found.provider == Setting("neon", "pyproject.toml")
        assert found.project_id == Setting("shared-project", "pyproject.toml")
        assert found.database == Setting("shop", "pyproject.toml")
        assert found.api_host == Setting("https://console.neon.tech/api/v2", "default")

    def test_link_is_above_pyproject(self, root: Path) -> None:
        """What this checkout pinned; the id counts, not the name of that day."""
        link.write(root, NEON_LINK)
        found = context(root, provider="neon", project="shared-project")
        assert found.project_id == Setting("linked-project", ".bough/link.json")
        assert found.branch == Setting("br-linked", ".bough/link.json")

    def test_environment_is_above_files(self, root: Path) -> None:
        """Each variable by its own name."""
        link.write(root, NEON_LINK)
        environment = {
            "NEON_PROJECT_ID": "other",
            "BOUGH_BRANCH": "pr-7",
            "NEON_API_HOST": "http://127.0.0.1:1",
        }
        found = context(root, environment=environment)
        assert found.project_id == Setting("other", "NEON_PROJECT_ID")
        assert found.branch == Setting("pr-7", "BOUGH_BRANCH")
        assert found.api_host == Setting("http://127.0.0.1:1", "NEON_API_HOST")

    def test_flags_are_above_all(self, root: Path) -> None:
        """Also above an environment variable that would be an error."""
        link.write(root, NEON_LINK)
        found = context(root, flags={"branch": "mine", "project": "p"}, environment={"BOUGH_BRANCH": ""})
        assert (found.branch, found.project_id) == (Setting("mine", "--branch"), Setting("p", "--project"))


class TestNeverMixed:
    """What was said of one project does not reach another."""

    def test_link_of_another_provider_counts_for_nothing(self, root: Path) -> None:
        """Neither its project nor its branch."""
        link.write(root, NEON_LINK)
        found = context(root, flags={"provider": "supabase"})
        assert (found.project_id.value, found.branch.value) == (None, None)

    def test_branch_of_another_project_counts_for_nothing(self, root: Path) -> None:
        """A pinned branch belongs to the project that it was pinned in."""
        link.write(root, NEON_LINK)
        assert context(root, environment={"NEON_PROJECT_ID": "other"}).branch.value is None

    def test_project_in_pyproject_is_its_providers(self, root: Path) -> None:
        """`--provider local` beside a Neon project in pyproject.toml."""
        found = context(root, flags={"provider": "local"}, provider="neon", project="shared-project")
        assert found.project_id.value is None

    def test_neons_variables_say_nothing_about_supabase(self, root: Path) -> None:
        """Both may be set in one shell."""
        environment = {"NEON_PROJECT_ID": "n", "SUPABASE_PROJECT_REF": "s", "NEON_API_HOST": "http://n"}
        found = context(root, flags={"provider": "supabase"}, environment=environment)
        assert found.project_id == Setting("s", "SUPABASE_PROJECT_REF")
        assert found.api_host == Setting("https://api.supabase.com", "default")


class TestRefusals:
    """What cannot be meant."""

    @given(blank=st.text(" \t\n", max_size=3))
    @pytest.mark.parametrize("where", ["flag", "environment"])
    def test_empty_branch_is_an_error(self, where: str, blank: str) -> None:
        """Providers take it for production; it is never a default."""
        given_ = {"flags": {"branch": blank}} if where == "flag" else {"environment": {"BOUGH_BRANCH": blank}}
        with pytest.raises(BranchNameMissingError, match="is empty") as caught:
            context(Path("/nonexistent"), **given_)
        assert caught.value.exit_code == 2

    def test_empty_project_is_an_error(self, root: Path) -> None:
        """A variable that a CI system left empty."""
        with pytest.raises(ConfigError, match="NEON_PROJECT_ID is empty"):
            context(root, flags={"provider": "neon"}, environment={"NEON_PROJECT_ID": ""})

    def test_unknown_provider_names_its_origin(self, root: Path) -> None:
        """And those that there are."""
        with pytest.raises(ConfigError, match=r"'aurora' \(BOUGH_PROVIDER\)") as caught:
            context(root, environment={"BOUGH_PROVIDER": "aurora"})
        assert caught.value.hint == "the providers are local, neon, supabase"


class TestLink:
    """`.bough/link.json`."""

    def test_reads_what_was_written(self, root: Path) -> None:
        """Git-ignored, private, and gone after `remove`."""
        assert link.read(root) is None
        link.write(root, NEON_LINK)
        assert link.read(root) == NEON_LINK
        assert (root / ".bough" / ".gitignore").read_text() == "*\n"
        assert link.remove(root)
        assert not link.remove(root)
        assert link.read(root) is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            '{"provider": "neon"}',
            '{"provider":"neon","project_id":"","branch_id":null,"branch_name":null}',
        ],
    )
    def test_damaged_file_is_an_error(self, root: Path, text: str) -> None:
        """Half a link must not point elsewhere."""
        link.write(root, NEON_LINK)
        (root / link.NAME).write_text(text)
        with pytest.raises(ConfigError, match=r"link\.json is not a link"):
            link.read(root)
