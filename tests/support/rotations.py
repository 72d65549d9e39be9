"""A stage whose API logs in through a pooler that asks the server for roles, as hosted ones do."""

from __future__ import annotations

import secrets as random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from api.database.connection_url import DirectUrl, PooledUrl
from infra.aws.secrets import Secrets
from infra.aws.stage import Stage
from infra.branches import application_role
from infra.config_tables import StageSettings
from infra.local.pooler import Pooler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.aws.account import Account
    from infra.testing.databases import World


@dataclass(frozen=True)
class Rotated:
    """What is rotated: a stage's secrets, and the database with an application role of its own."""

    secrets: Secrets
    owner: DirectUrl
    application: str
    administrator: psycopg.Connection
    pooler: Pooler

    def url(self) -> PooledUrl:
        """Return what a new environment of the API reads."""
        return PooledUrl.parse(self.secrets.get("api", "DATABASE_URL") or "")


@contextmanager
def rotated_stage(world: World, account: Account, folder: Path) -> Iterator[Rotated]:
    """Have a stage, its database, and an owner with no more than CREATEROLE, as at Neon."""
    name = f"app{random.token_hex(4)}"
    owner, password = f"{name}_owner", random.token_urlsafe()
    pooler = Pooler.start(folder, postgres=world.cluster, users=None)
    with (
        world.new_database() as database,
        psycopg.connect(database.superuser.libpq(), autocommit=True) as administrator,
    ):
        try:
            administrator.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                    sql.Identifier(owner), sql.Literal(password)
                )
            )
            administrator.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                    sql.Identifier(database.name), sql.Identifier(owner)
                )
            )
            administrator.execute(
                sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {} WITH GRANT OPTION").format(
                    sql.Identifier(owner)
                )
            )
            # Else the mark that says which branch it is would be somebody else's.
            administrator.execute(
                sql.SQL("ALTER TABLE bough_branch OWNER TO {}").format(sql.Identifier(owner))
            )
            url = database.direct.replace(user=owner, password=password)
            with psycopg.connect(url.libpq()) as connection:
                connection.execute("CREATE TABLE counted (id int PRIMARY KEY, times int NOT NULL)")
                connection.execute("INSERT INTO counted VALUES (1, 0)")
                application_role.provision(
                    connection,
                    owner=owner,
                    owner_password="",
                    application=name,
                    application_password="first",
                )
            secrets = Secrets(account, Stage("shop", name, StageSettings()))
            secrets.put("api", "DATABASE_URL", pooler.url(database.name, name, "first").libpq())
            yield Rotated(secrets, url, name, administrator, pooler)
        finally:
            pooler.remove()
            _drop(administrator, [f"{name}_a", f"{name}_b", name, owner])


def _drop(administrator: psycopg.Connection, roles: list[str]) -> None:
    """Drop the roles, which belong to the whole cluster, with all that they have here."""
    administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)", [roles]
    )
    found = administrator.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [roles]).fetchall()
    own = administrator.info.user
    for (role,) in found:
        administrator.execute(
            sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(role), sql.Identifier(own))
        )
        administrator.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    for (role,) in found:
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
