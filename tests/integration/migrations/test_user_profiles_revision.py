"""The revision that lets users be deleted, taken back where some were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from infra.config import load_project
from infra.migrate import runner
from tests.support.histories import REPOSITORY

if TYPE_CHECKING:
    from infra.testing.databases import Database


def test_deleted_users_do_not_keep_it_from_being_undone(empty_database: Database) -> None:
    """Their names, in use again, and their addresses, all the same, become unique; they stay out."""
    project, direct = load_project(REPOSITORY), empty_database.direct
    runner.apply(project, direct, revision="20261121_user_profiles")
    with psycopg.connect(direct.libpq(), autocommit=True) as connection:
        for state in ("false, now()", "false, now()", "true, NULL"):
            connection.execute(
                "INSERT INTO users (id, username, email, hashed_password, is_active, deleted_at) "
                f"VALUES (gen_random_uuid(), 'ada', '', '', {state})"
            )
        runner.rollback(project, direct)
        rows = connection.execute(
            "SELECT username = id::text, email = id::text, is_active FROM users ORDER BY is_active"
        )
        assert rows.fetchall() == [(True, True, False), (True, True, False), (False, False, True)]
