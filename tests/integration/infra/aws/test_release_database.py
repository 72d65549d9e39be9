"""The database of a stage, as a deploy sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.aws.release_database import StageDatabase
from infra.branches.identity import BranchIdentity
from infra.branches.login_roles import LoginRoleError
from tests.support.forks import target_of

if TYPE_CHECKING:
    from infra.testing.databases import Database, World
    from tests.support.histories import History


class TestLogin:
    """`StageDatabase.login`."""

    def test_refuses_what_a_rotation_has_ended(
        self, history: History, empty_database: Database, world: World
    ) -> None:
        """Secrets that are gone are written anew: the error says how the role gets its password back."""
        branch = BranchIdentity("neon", "shop", "br-1", "main")
        target = replace(target_of(empty_database, world), expected=branch)
        works = StageDatabase(history.project, target, lambda: empty_database.pooled, lambda _: None)
        assert works.login() == empty_database.pooled
        ended = replace(works, application=lambda: empty_database.pooled.replace(password="x"))
        with pytest.raises(LoginRoleError, match="the application cannot log in as") as raised:
            ended.login()
        assert raised.value.hint == "let it again: bough branch adopt main"
