"""What would lose something, without a terminal to ask on and without the flag that says yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.deployed_shop import Shop

pytestmark = pytest.mark.prove

PRODUCTION = ("--stage", "production", "--local")


class TestUnasked:
    @pytest.mark.parametrize(
        "command",
        [
            ("destroy", "production", "--local"),
            ("secrets", "rotate", "auth", "--now", *PRODUCTION),
            ("secrets", "rotate", "database", "--finish", "--now", *PRODUCTION),
            ("migrate", "rollback", "--branch", "main"),
            ("migrate", "live", "--record", "--branch", "main"),
            ("branch", "reset", "dev"),
            ("branch", "restore", "dev", "--at", "1s"),
            ("branch", "delete", "dev"),
        ],
        ids=" ".join,
    )
    def test_command_changes_nothing(self, with_branch: Shop, command: tuple[str, ...]) -> None:
        """It says what would be lost, and how to go on."""
        before = with_branch.names(), with_branch.shares
        refused = with_branch.bough(*command, code=2)
        assert (refused.stdout, "error[CONFIRMATION_NEEDED]" in refused.stderr) == ("", True)
        assert "hint: nothing was changed; --yes goes on" in refused.stderr
        assert (with_branch.names(), with_branch.shares) == before

    def test_revisions_are_not_run_unrehearsed(self, shop: Shop) -> None:
        """A deploy without its rehearsal is asked about before anything, the packages aside."""
        before = shop.shares
        with shop.pull_request():
            shop.add_table("leaps")
            refused = shop.deploy("--no-rehearse", code=2)
        assert "without having been rehearsed" in refused.stderr
        assert (refused.steps, shop.shares) == ([], before)


@pytest.fixture(scope="module")
def with_branch(first_deploy: tuple[Shop, object]) -> Shop:
    """The project, with a branch beside production's."""
    first_deploy[0].bough("branch", "create", "dev")
    return first_deploy[0]
