"""What a database can prove of itself, and what it is refused for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from infra.branches import identity
from infra.branches.errors import TargetError, TargetUnmarkedError
from infra.branches.identity import BranchIdentity
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection_url import DirectUrl
    from infra.testing.databases import Database, World

SERVER = BranchIdentity("neon", "calm-lake-1", "br-server-1")
MAIN = BranchIdentity("supabase", "abcdefghijklmnopqrst", "mainmainmainmainmain", "main")
PREVIEW = BranchIdentity("supabase", "abcdefghijklmnopqrst", "previewpreviewprevie", "pr-7")

UNMARK = "DROP TABLE public.bough_branch"


def connected(url: DirectUrl, **options: str) -> psycopg.Connection:
    return psycopg.connect(url.libpq(), autocommit=True, **options)


@pytest.fixture
def owner(empty_database: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection to a database without a mark."""
    with connected(empty_database.direct) as connection:
        connection.execute(UNMARK)
        yield connection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A server that says of itself which branch it is, as a local branch's does."""
    settings = {"neon.project_id": SERVER.project_id, "neon.branch_id": SERVER.branch_id}
    # Defined by PostgreSQL itself, as Neon's extension defines Neon's.
    settings |= {"cluster_name": SERVER.project_id, "bonjour_name": SERVER.branch_id}
    cluster = PostgresCluster.start(tmp_path_factory.mktemp("server"), durable=False, settings=settings)
    with connected(cluster.superuser_url()) as connection:
        connection.execute("CREATE ROLE someone LOGIN PASSWORD 'someone' CREATEDB")
        connection.execute("CREATE DATABASE app OWNER someone")
    yield cluster
    cluster.remove()


@pytest.fixture
def app(server: PostgresCluster) -> Iterator[DirectUrl]:
    """The owner's URL of a database on that server, with no settings of its own at the end."""
    yield server.superuser_url("app").replace(user="someone", password="someone")
    with connected(server.superuser_url("app")) as connection:
        connection.execute("ALTER DATABASE app RESET ALL; ALTER ROLE someone RESET ALL")
        connection.execute("ALTER ROLE someone IN DATABASE app RESET ALL; ALTER ROLE ALL RESET ALL")
        connection.execute("ALTER DATABASE postgres RESET ALL; DROP TABLE IF EXISTS bough_branch")


class TestRead:
    """`read`, where the server speaks for itself."""

    def test_believes_the_command_line(self, app: DirectUrl) -> None:
        """A local branch is known by its server's settings, to a role without any rights."""
        with connected(app) as connection:
            assert identity.read(connection) == SERVER

    def test_resets_what_the_session_has_set(self, app: DirectUrl) -> None:
        """Any role may set a setting that no library defines; the server's value comes back."""
        with connected(app) as connection:
            connection.execute("SET neon.branch_id = 'br-other'; SET neon.project_id = 'other'")
            assert identity.read(connection) == SERVER
            assert connection.execute("SHOW neon.branch_id").fetchone() == (SERVER.branch_id,)

    def test_reads_inside_a_transaction(self, app: DirectUrl) -> None:
        """A local setting of the transaction does not count either."""
        with connected(app) as connection, connection.transaction():
            connection.execute("SET LOCAL neon.branch_id = 'br-other'")
            assert identity.read(connection) == SERVER

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER DATABASE app SET neon.branch_id = 'br-other'",
            "ALTER ROLE someone SET neon.branch_id = 'br-other'",
            "ALTER ROLE someone IN DATABASE app SET neon.project_id = 'other'",
            "ALTER ROLE ALL SET \"Neon.Branch_Id\" = 'br-other'",
        ],
    )
    def test_disbelieves_settings_of_database_and_role(
        self, server: PostgresCluster, app: DirectUrl, statement: str
    ) -> None:
        """They beat the command line and are copied with the data: nothing is proven then."""
        with connected(server.superuser_url("app")) as superuser:
            superuser.execute(statement.encode())
        with connected(app) as connection:
            assert identity.read(connection) is None

    def test_ignores_settings_of_others(self, server: PostgresCluster, app: DirectUrl) -> None:
        """Another database's settings are not in force here."""
        with connected(server.superuser_url("app")) as superuser:
            superuser.execute("ALTER DATABASE postgres SET neon.branch_id = 'br-other'")
        with connected(app) as connection:
            assert identity.read(connection) == SERVER

    @pytest.mark.parametrize(
        "options", ["-c neon.branch_id=br-other", r"-c ne\on.branch_id=br-other", "--NEON.branch-id=br-other"]
    )
    def test_disbelieves_settings_of_the_client(self, app: DirectUrl, options: str) -> None:
        """The connection string cannot make a database say what it likes to hear."""
        with connected(app, options=options) as connection:
            assert identity.read(connection) is None

    def test_disbelieves_settings_of_the_environment(
        self, app: DirectUrl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor can PGOPTIONS, which libpq reads by itself."""
        monkeypatch.setenv("PGOPTIONS", "-c neon.branch_id=br-other")
        with connected(app) as connection:
            assert identity.read(connection) is None

    @pytest.mark.parametrize(
        ("project", "branch", "said"),
        [
            ("cluster_name", "bonjour_name", SERVER),
            ("application_name", "bonjour_name", None),
            ("application_name", "search_path", None),
            ("cluster_name", "neon.branch_id", None),
        ],
    )
    def test_believes_defined_settings_by_their_source(
        self,
        app: DirectUrl,
        monkeypatch: pytest.MonkeyPatch,
        project: str,
        branch: str,
        said: BranchIdentity | None,
    ) -> None:
        """On Neon a library defines the settings: both must come from the server's configuration."""
        monkeypatch.setattr(identity, "_PROJECT", project)
        monkeypatch.setattr(identity, "_BRANCH", branch)
        with connected(app, application_name="other") as connection:
            connection.execute("SET search_path = 'br-other'")
            assert identity.read(connection) == said

    def test_needs_project_and_branch(self, owner: psycopg.Connection) -> None:
        """Half of an identity, or one that only the session knows, is none."""
        owner.execute("SET neon.branch_id = 'br-other'; SET neon.project_id = 'other'")
        assert identity.read(owner) is None

    def test_prefers_the_server_to_a_mark(self, app: DirectUrl) -> None:
        """A mark that came with a dump from elsewhere does not count on a server that knows better."""
        with connected(app) as connection:
            connection.execute("CREATE TABLE bough_branch AS SELECT 'supabase' AS provider")
            assert identity.read(connection) == SERVER

    def test_asks_four_times_at_most(self, app: DirectUrl, owner: psycopg.Connection) -> None:
        """Proving costs a migration no more round trips than that."""
        counts = []
        with connected(app) as connection:
            for each in (connection, owner):
                counted = Counted(each)
                identity.read(counted)
                counts.append(counted.count)
        assert counts == [4, 2]


class Counted:
    """A connection that counts what is executed on it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection, self.count = connection, 0
        self.info = connection.info

    def execute(self, *arguments: object) -> psycopg.Cursor:
        self.count += 1
        return self.connection.execute(*arguments)


class TestVerify:
    """`verify`."""

    def test_refuses_another_branch(self, owner: psycopg.Connection) -> None:
        """The message has both, by name where it is known, and the way on."""
        identity.mark(owner, MAIN)
        with pytest.raises(TargetError) as failure:
            identity.verify(owner, PREVIEW)
        assert str(failure.value) == (
            "the connected database is mainmainmainmainmain of project abcdefghijklmnopqrst, "
            "not pr-7 (previewpreviewprevie) of project abcdefghijklmnopqrst"
        )
        assert "bough branch adopt pr-7" in (failure.value.hint or "")
        assert not isinstance(failure.value, TargetUnmarkedError)

    def test_tells_providers_apart(self, app: DirectUrl) -> None:
        """The same ids at another provider are another branch; what a server says cannot be adopted away."""
        with (
            connected(app) as connection,
            pytest.raises(TargetError, match=r"on neon, not .* on supabase") as failure,
        ):
            identity.verify(connection, BranchIdentity("supabase", SERVER.project_id, SERVER.branch_id))
        assert "adopt" not in (failure.value.hint or "")

    def test_refuses_an_unmarked_database(self, owner: psycopg.Connection) -> None:
        """With a branch expected or not; the hint names the command."""
        for expected, name in ((None, "NAME, where no provider hosts it with --plain"), (MAIN, "main")):
            with pytest.raises(TargetUnmarkedError) as failure:
                identity.verify(owner, expected)
            assert (failure.value.hint or "").endswith(f"bough branch adopt {name}")

    def test_returns_the_identity_with_its_name(self, owner: psycopg.Connection) -> None:
        """What is announced has the name that only the caller knows."""
        identity.mark(owner, MAIN)
        assert (
            str(identity.verify(owner, MAIN)) == "main (mainmainmainmainmain) of project abcdefghijklmnopqrst"
        )
        assert str(identity.verify(owner, None)) == "mainmainmainmainmain of project abcdefghijklmnopqrst"


class TestMark:
    """`mark`."""

    def test_replaces_an_older_one(self, owner: psycopg.Connection) -> None:
        """There is one mark, the last."""
        identity.mark(owner, MAIN)
        identity.mark(owner, PREVIEW)
        assert identity.read(owner) == PREVIEW
        assert owner.execute("SELECT count(*) FROM bough_branch").fetchone() == (1,)

    def test_a_copy_is_unmarked(self, world: World, empty_database: Database) -> None:
        """A template's mark is of no value in the copy, and the message says where it came from."""
        with connected(empty_database.direct) as connection:
            identity.mark(connection, MAIN)
        with connected(empty_database.superuser.replace(database="postgres")) as superuser:
            superuser.execute(f"CREATE DATABASE copied TEMPLATE {empty_database.name}".encode())
            try:
                with connected(empty_database.direct.replace(database="copied")) as connection:
                    assert identity.read(connection) is None
                    with pytest.raises(TargetUnmarkedError, match="its mark was copied from mainmain"):
                        identity.verify(connection, None)
            finally:
                superuser.execute("DROP DATABASE copied WITH (FORCE)")

    def test_application_reads_and_cannot_write(
        self, owner: psycopg.Connection, empty_database: Database
    ) -> None:
        """Whoever takes over the application cannot make a database pass for another."""
        identity.mark(owner, MAIN)
        with connected(empty_database.pooled) as application:
            assert identity.read(application) == MAIN
            for statement in (
                "UPDATE bough_branch SET branch_id = 'x'",
                "INSERT INTO bough_branch SELECT * FROM bough_branch",
                "DELETE FROM bough_branch",
                "TRUNCATE bough_branch",
                UNMARK,
            ):
                with pytest.raises(errors.InsufficientPrivilege):
                    application.execute(statement)

    def test_nobody_else_writes_either(self, owner: psycopg.Connection, empty_database: Database) -> None:
        """Default privileges for everybody, as on some hosts, do not reach the mark."""
        owner.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC")
        identity.mark(owner, MAIN)
        with connected(empty_database.pooled) as application, pytest.raises(errors.InsufficientPrivilege):
            application.execute("UPDATE public.bough_branch SET branch_id = 'x'")

    def test_is_refused_where_the_server_knows_better(self, app: DirectUrl) -> None:
        """On Neon and locally nothing is written."""
        with connected(app) as connection:
            with pytest.raises(TargetError):
                identity.mark(connection, MAIN)
            identity.mark(connection, SERVER)
            assert connection.execute("SELECT to_regclass('bough_branch')").fetchone() == (None,)

    def test_two_at_once_leave_one(self, owner: psycopg.Connection, empty_database: Database) -> None:
        """Runs that provision the same branch at once all succeed."""

        def write(_: int) -> None:
            with connected(empty_database.direct) as connection:
                identity.mark(connection, MAIN)

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(write, range(5)))
        assert identity.read(owner) == MAIN
