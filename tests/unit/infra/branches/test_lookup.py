"""Which branch an id or a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.branches import lookup
from infra.branches.errors import BranchNameInvalidError, BranchNameMissingError, BranchNotFoundError
from tests.support import branches

if TYPE_CHECKING:
    from infra.branches.provider import Branch


def branch(id: str, name: str) -> Branch:  # noqa: A002  the provider's word
    return branches.branch(name, None, id=id)


BRANCHES = [branch("br-1", "main"), branch("br-2", "preview-login"), branch("br-3", "br-1")]


class TestGet:
    @pytest.mark.parametrize(
        ("wanted", "id"), [("br-2", "br-2"), ("preview-login", "br-2"), (" main ", "br-1")]
    )
    def test_returns_the_branch_by_id_or_name(self, wanted, id):  # noqa: A002  the provider's word
        """Both are accepted, and spaces around them mean nothing."""
        assert lookup.get(BRANCHES, wanted).id == id

    def test_prefers_the_id_where_a_name_looks_like_one(self):
        """Whoever names a branch like another's id cannot stand in for it."""
        assert lookup.get(BRANCHES, "br-1").name == "main"

    @pytest.mark.parametrize("wanted", ["", " ", "\n"])
    def test_refuses_an_empty_name(self, wanted):
        """An empty name means production to a provider."""
        with pytest.raises(BranchNameMissingError):
            lookup.get(BRANCHES, wanted)

    def test_names_the_nearest_when_there_is_none(self):
        """A slip of the finger is told what was probably meant, and nothing else."""
        with pytest.raises(BranchNotFoundError, match="'preview-logn'") as caught:
            lookup.get(BRANCHES, "preview-logn")
        assert caught.value.hint == "did you mean preview-login?"

    def test_lists_what_there_is_when_nothing_is_near(self):
        """The first names, and a sign that there are more."""
        with pytest.raises(BranchNotFoundError) as caught:
            lookup.get([branch(f"id-{i}", f"b{i}") for i in range(7)], "zzzzzz")
        assert caught.value.hint == "there are b0, b1, b2, b3, b4, …"

    def test_says_so_when_there_are_none_at_all(self):
        """An empty project is no riddle."""
        with pytest.raises(BranchNotFoundError) as caught:
            lookup.get([], "main")
        assert caught.value.hint == "the project has no branches"

    def test_guesses_nothing_where_two_have_the_name(self):
        """Either could be the wrong one to delete; by its id each is still found."""
        twins = [branch("br-4", "twin"), branch("br-5", "twin")]
        with pytest.raises(BranchNameInvalidError, match="2 branches have the name 'twin'") as caught:
            lookup.get(twins, "twin")
        assert "br-4, br-5" in caught.value.hint
        assert lookup.get(twins, "br-5").id == "br-5"


class TestFind:
    def test_returns_nothing_for_what_is_not_there(self):
        """For those who go on without it."""
        assert lookup.find(BRANCHES, "other") is None
