"""The database of one Supabase project: a PostgreSQL cluster and a PgBouncer of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from infra.local.home import ACCOUNT, Home, postgres_programs
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from api.database.connection_url import DirectUrl

_SUPERUSER: Final = "supabase_admin"
#: As at Supabase: `postgres`, which users get, is no superuser, and owns the database.
_ROLES: Final = (
    "CREATE ROLE renaming SUPERUSER",
    "SET SESSION AUTHORIZATION renaming",
    f"ALTER ROLE postgres RENAME TO {_SUPERUSER}",
    "CREATE ROLE postgres LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS",
    "GRANT pg_monitor, pg_read_all_data, pg_signal_backend TO postgres WITH ADMIN OPTION",
    "CREATE ROLE anon",
    "CREATE ROLE authenticated",
    "GRANT anon, authenticated TO postgres WITH ADMIN OPTION",
    "ALTER DATABASE postgres OWNER TO postgres",
    "GRANT USAGE ON SCHEMA public TO anon, authenticated",
    f"CREATE SCHEMA auth AUTHORIZATION {_SUPERUSER}",
    "GRANT USAGE ON SCHEMA auth TO postgres, anon, authenticated",
)


class ProjectDatabase:
    """What one project's URLs lead to.

    Attributes:
        password: Of the role `postgres`, this project's own.
    """

    def __init__(self, folder: Path, data: Path, pooled_role: Callable[[str], Mapping[str, str]]) -> None:
        """Run both servers over the data, which becomes the project's own.

        Args:
            folder: For logs.
            data: As `new_data` makes it.
            pooled_role: Gives the roles that the pooler knows besides `postgres`, with passwords, for the
                password of `postgres`.
        """
        self.folder = folder
        self.data = data
        self.password = secrets.token_urlsafe(16)
        home = Home.of(folder / "postgres")
        (home.path / "data").symlink_to(data / "data")
        (home.path / "superuser").symlink_to(data / "superuser")
        self._cluster = PostgresCluster.start(folder / "postgres", durable=False)
        self.execute(f"ALTER ROLE postgres PASSWORD '{self.password}'")
        self._pooler = Pooler.start(
            folder / "pooler",
            postgres=self._cluster,
            users={"postgres": self.password, **pooled_role(self.password)},
            pool_size=5,
        )

    @property
    def port(self) -> int:
        """PostgreSQL's own."""
        return self._cluster.port

    @property
    def pooled_port(self) -> int:
        """PgBouncer's."""
        return self._pooler.port

    def execute(self, *statements: str, role: str = _SUPERUSER) -> None:
        """Run statements in the name of a role."""
        _execute(self._superuser_url(), [f"SET SESSION AUTHORIZATION {role}", *statements])

    def back_up(self) -> Path:
        """Return a folder with a copy of the data as it is now, made online."""
        copy = _new_folder()
        shutil.copy(self.data / "superuser", copy)
        account = _account()
        source = self._superuser_url().replace(password="").libpq()
        command = [postgres_programs() / "pg_basebackup", "-d", source, "-D", copy / "data"]
        subprocess.run(
            [*command, "--checkpoint=fast", "--no-sync"],
            check=True,
            cwd=copy,
            env={"PGPASSWORD": (self.data / "superuser").read_text()},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
        )
        return copy

    def replace(self, data: Path) -> None:
        """Let the project have this data from now on; ports and password stay."""
        port = self.port
        self._cluster.stop("immediate")
        shutil.rmtree(self.data / "data")
        (data / "data").rename(self.data / "data")
        shutil.rmtree(data)
        self._cluster = PostgresCluster.start(self.folder / "postgres", port=port, durable=False)
        self.execute(f"ALTER ROLE postgres PASSWORD '{self.password}'")

    def remove(self) -> None:
        """Stop both servers and delete everything."""
        self._pooler.remove()
        self._cluster.remove()
        shutil.rmtree(self.data)

    def _superuser_url(self) -> DirectUrl:
        return self._cluster.superuser_url().replace(user=_SUPERUSER)


def new_data(folder: Path) -> Path:
    """Return a folder with the data of an empty Supabase project; `folder` is for the time of making it."""
    cluster = PostgresCluster.start(folder, durable=False)
    _execute(cluster.superuser_url(), _ROLES)
    cluster.stop()
    made = _new_folder()
    home = Home.of(folder).path
    (home / "data" / "postmaster.opts").unlink()
    subprocess.run(["cp", "-a", home / "data", home / "superuser", made], check=True)
    cluster.remove()
    return made


def copied(data: Path) -> Path:
    """Return a copy of data that no server runs over."""
    copy = _new_folder()
    subprocess.run(["cp", "-a", f"{data}/.", copy], check=True)
    return copy


def _new_folder() -> Path:
    """Return a new folder, in memory where there is some: on a disk a copy's many files take a second."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="bough-supabase-", dir=memory if memory.is_dir() else None))
    if account := _account():
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _account() -> pwd.struct_passwd | None:
    """Return whom servers run as, where it is not us."""
    return pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None


def _execute(url: DirectUrl, statements: Sequence[str]) -> None:
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
