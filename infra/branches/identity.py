"""Which branch a connected database is: what its server says, else the mark that was left in it.

Neon's servers say it in settings, and so do the local branches'. Where nobody but the data can tell, as
on Supabase, provisioning or `bough branch adopt` leaves a mark: a table of one row. A mark is copied
with the data, so it names the place that it was written at too, and counts nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from infra.branches.errors import TargetError, TargetUnmarkedError
from infra.context import ProviderName

if TYPE_CHECKING:
    import psycopg

    from infra.branches.provider import Branch

    Connection = psycopg.Connection[tuple[Any, ...]]

#: A database that no provider's API describes.
PLAIN: Final = "postgres"

_PROJECT: Final = "neon.project_id"
_BRANCH: Final = "neon.branch_id"

#: Key of the advisory lock under which the mark is written.
_LOCK_KEY: Final = int.from_bytes(b"bough/id", "big")

#: Of the settings: their values, whether the server's own files or command line hold them (NULL when it
#: has no such settings of its own), and whether the database or the role overrides them.
_STATED: Final = """
    SELECT current_setting(%(project)s, true), current_setting(%(branch)s, true),
        (
            SELECT count(*) = 2 AND bool_and(source IN ('configuration file', 'command line'))
            FROM pg_settings WHERE name IN (%(project)s, %(branch)s) HAVING count(*) > 0
        ),
        EXISTS (
            SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting
            WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
              AND setrole IN (0, quote_ident(session_user)::regrole)
              AND lower(split_part(setting, '=', 1)) IN (%(project)s, %(branch)s)
        )
"""

#: Where the data lies, who owns the mark in it, if any, and whether that is a table of somebody's who
#: may say so: whoever else can make tables could make one for us, or have us call functions of theirs. A
#: dump or CREATE DATABASE … TEMPLATE takes the mark to another place.
_PLACE: Final = """
    SELECT system_identifier || '/' || database.oid, owner.rolname, relation.relkind = 'r'
        AND (owner.rolsuper OR owner.oid = database.datdba OR owner.rolname = current_user)
    FROM pg_control_system(), pg_database AS database
    LEFT JOIN pg_class AS relation ON relation.oid = to_regclass('public.bough_branch')
    LEFT JOIN pg_roles AS owner ON owner.oid = relation.relowner
    WHERE datname = current_database()
"""

#: Default privileges give others rights on every new table, on Supabase even to anonymous callers.
_MAKE_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS public.bough_branch (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        provider text NOT NULL,
        project_id text NOT NULL,
        branch_id text NOT NULL,
        place text NOT NULL,
        marked_at timestamptz NOT NULL
    );
    DO $$
    DECLARE
        grantee regrole;
    BEGIN
        REVOKE ALL ON public.bough_branch FROM PUBLIC;
        FOR grantee IN
            SELECT DISTINCT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
            WHERE oid = 'public.bough_branch'::regclass AND acl.grantee NOT IN (0, relowner)
        LOOP
            EXECUTE 'REVOKE ALL ON public.bough_branch FROM ' || grantee;
            EXECUTE 'GRANT SELECT ON public.bough_branch TO ' || grantee;
        END LOOP;
    END
    $$
"""


@dataclass(frozen=True, slots=True)
class BranchIdentity:
    """A branch, as a database can say that it is it.

    Args:
        provider: `neon` (the local branches too), `supabase` or `postgres`.
        project_id: The provider's; of a plain PostgreSQL the name of the project that uses it.
        branch_id: The provider's; of a plain PostgreSQL the name that it was adopted under.
        name: What people call it, where that is known; does not count when two are compared.
    """

    provider: str
    project_id: str
    branch_id: str
    name: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, provider: ProviderName, branch: Branch) -> Self:
        """Return what the database of a provider's branch must say."""
        # The local control plane's servers speak as Neon's do.
        host = ProviderName.NEON if provider is ProviderName.LOCAL else provider
        return cls(host.value, branch.project_id, branch.id, branch.name)

    def __str__(self) -> str:
        """Return what a person reads: `main (br-…) of project …`."""
        has_name = self.name not in {None, self.branch_id}
        branch = f"{self.name} ({self.branch_id})" if has_name else self.branch_id
        return f"{branch} of project {self.project_id}"


def read(connection: Connection) -> BranchIdentity | None:
    """Return which branch the database is, `None` when nothing says so that can be believed.

    Settings of the session that stand in the server's way are reset; nothing else is changed.
    """
    return _said_by_server(connection) or _marked(connection)


def verify(connection: Connection, expected: BranchIdentity | None) -> BranchIdentity:
    """Return which branch the database is, having made sure that it is the expected one.

    Args:
        connection: The very one that the changes will be made on.
        expected: `None` when no branch was named: then the database must be some branch.

    Raises:
        TargetError: It is another branch.
        TargetUnmarkedError: It says of no branch that it is it.
    """
    found = read(connection)
    if found is None:
        raise _unmarked(connection, expected)
    if expected is None:
        return found
    if found != expected:
        raise _mismatch(found, expected)
    return expected


def mark(connection: Connection, identity: BranchIdentity) -> None:
    """Leave the mark in the database, in place of any other; does nothing where it says so already.

    Only over a connection whose branch is certain: on the way that the provider's API has just stated for
    it, or where a person has adopted it by name.

    Args:
        connection: Of the owner's role, direct.
        identity: What it shall say.

    Raises:
        TargetError: The server itself says that it is another branch, or somebody else has made
            a table where the mark belongs.
    """
    said = _said_by_server(connection)
    if said not in {None, identity}:
        raise _mismatch(said, identity)
    if identity in {said, _marked(connection)}:
        return
    with connection.transaction():
        # Of two runs at once, the second finds the first one's table.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        place, owner, is_ours = _place(connection)
        if owner is not None and not is_ours:
            raise TargetError(
                f"public.bough_branch is no table of this database's owner, but of {owner}'s",
                hint="nothing was changed; find out who made it and why, and drop it",
            )
        connection.execute(_MAKE_TABLE)
        connection.execute(
            """
            INSERT INTO public.bough_branch (provider, project_id, branch_id, place, marked_at)
            VALUES (%s, %s, %s, %s, now())
            ON CONFLICT (one) DO UPDATE SET (provider, project_id, branch_id, place, marked_at) =
                (EXCLUDED.provider, EXCLUDED.project_id, EXCLUDED.branch_id, EXCLUDED.place, now())
            """,
            (identity.provider, identity.project_id, identity.branch_id, place),
        )


def _said_by_server(connection: Connection) -> BranchIdentity | None:
    """Return what the settings say, unless somebody else than the server can have set them.

    Neon's servers define the settings, for the server's configuration alone, and `pg_settings` says where
    each value came from. Ours are given on a command line and defined by nobody: then every session, role,
    database and client may set them too, which is ruled out one by one.
    """
    row = connection.execute(_STATED, {"project": _PROJECT, "branch": _BRANCH}).fetchone()
    if row is None:
        return None
    project, branch, is_servers_own, is_overridden = row
    if is_servers_own is None and branch and not is_overridden and not _set_by_client(connection):
        # What this session itself, or a function that it called, has set.
        connection.execute("RESET neon.project_id")
        connection.execute("RESET neon.branch_id")
        reset = connection.execute("SELECT current_setting(%s), current_setting(%s)", (_PROJECT, _BRANCH))
        project, branch = reset.fetchone() or (None, None)
        is_servers_own = True
    if not (is_servers_own and project and branch):
        return None
    return BranchIdentity(ProviderName.NEON.value, project, branch)


def _set_by_client(connection: Connection) -> bool:
    r"""Say whether the URL or PGOPTIONS set anything of Neon's; the server reads `ne\on` as `neon`."""
    return "neon." in connection.info.options.replace("\\", "").lower()


def _marked(connection: Connection) -> BranchIdentity | None:
    mark = _read_mark(connection)
    return mark[0] if mark and mark[1] else None


def _read_mark(connection: Connection) -> tuple[BranchIdentity, bool] | None:
    """Return what the mark says, and whether it was written in this very database."""
    place, owner, is_ours = _place(connection)
    if owner is None or not is_ours:
        return None
    row = connection.execute(
        "SELECT provider, project_id, branch_id, place FROM public.bough_branch"
    ).fetchone()
    return (BranchIdentity(*row[:3]), row[3] == place) if row else None


def _place(connection: Connection) -> tuple[str, str | None, bool]:
    row = connection.execute(_PLACE).fetchone()
    return row or ("", None, False)


def _mismatch(found: BranchIdentity, expected: BranchIdentity) -> TargetError:
    here, there = f"{found}", f"{expected}"
    if found.provider != expected.provider:
        here, there = f"{found} on {found.provider}", f"{expected} on {expected.provider}"
    hint = "nothing was changed; correct the connection string, or the branch that was named"
    if found.provider != ProviderName.NEON:
        hint += f"; if it has become {_name(expected)}, run: bough branch adopt {_name(expected)}"
    return TargetError(f"the connected database is {here}, not {there}", hint=hint)


def _unmarked(connection: Connection, expected: BranchIdentity | None) -> TargetUnmarkedError:
    mark = _read_mark(connection)
    why = f"; its mark was copied from {mark[0]}" if mark else ""
    adopt = f"bough branch adopt {_name(expected) if expected else 'NAME'}"
    if expected is None:
        adopt += ", where no provider hosts it with --plain"
    return TargetUnmarkedError(
        f"the connected database does not say which branch it is{why}",
        hint=f"nothing was changed; if you are sure which one it is, run: {adopt}",
    )


def _name(identity: BranchIdentity) -> str:
    return identity.name or identity.branch_id
