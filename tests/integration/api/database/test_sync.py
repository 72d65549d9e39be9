"""Synchronous sessions on real servers: what a script or a notebook has, on both kinds of URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import insert, select, text

from api.database import errors
from api.database.claims import SETTING, encode
from api.database.session import write
from api.database.sync import SyncReadSession, SyncWriteSession, reading, writing
from api.database.timeouts import Timeouts
from tests.support.notes import Note

if TYPE_CHECKING:
    from api.database.connection_url import ConnectionUrl
    from api.database.session import ReadSession

LIMITS = text(
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
    " current_setting('idle_in_transaction_session_timeout')"
)
WRITES = [
    insert(Note).values(text="a"),
    text("INSERT INTO test_note (id, text) VALUES (gen_random_uuid(), 'a')"),
    text("WITH gone AS (DELETE FROM test_note RETURNING 1) SELECT 1"),
]


def texts(url: ConnectionUrl) -> list[str]:
    """Return what is committed."""
    with reading(url) as session:
        return sorted(session.scalars(select(Note.text)))


def shown(session: SyncReadSession, name: str) -> str:
    """Return a setting as the server has it."""
    return str(session.scalars(text(f"SELECT current_setting('{name}')")).one())


class TestReading:
    @pytest.mark.parametrize("statement", WRITES, ids=["orm", "text", "cte"])
    def test_writing_statement_is_refused_before_it_is_sent(self, notes_url, statement):
        """As in the application: a read session says at once what is wrong."""
        with reading(notes_url) as session, pytest.raises(errors.ReadOnlySessionError, match="WriteSession"):
            session.execute(statement)
        assert texts(notes_url) == []

    def test_server_refuses_what_the_text_does_not_show(self, notes_url, notes_database):
        """A function that writes is stopped by the READ ONLY transaction of its statement."""
        with psycopg.connect(notes_database.direct.libpq()) as owner:
            owner.execute(
                "CREATE OR REPLACE FUNCTION sneaky() RETURNS void LANGUAGE sql"
                " AS $$INSERT INTO test_note (id, text) VALUES (gen_random_uuid(), 'a')$$"
            )
        with reading(notes_url) as session, pytest.raises(errors.ReadOnlySessionError, match="function"):
            session.execute(text("SELECT sneaky()"))
        assert texts(notes_url) == []

    def test_changes_that_nobody_sent_are_not_lost_silently(self, notes_url):
        """A cell that took the wrong session fails, instead of saying that all went well."""
        with (
            pytest.raises(errors.ReadOnlySessionError, match="ended with changes"),
            reading(notes_url) as session,
        ):
            session.add(Note(text="a"))

    def test_each_statement_has_its_own_snapshot_and_leaves_nothing_open(self, notes_url, notes_database):
        """Computing between two statements holds no transaction, and sees what others commit."""
        with reading(notes_url) as session:
            assert session.scalars(select(Note.text)).all() == []
            with psycopg.connect(notes_database.superuser.libpq()) as administrator:
                states = administrator.execute(
                    "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                ).fetchall()
            with writing(notes_url) as writer:
                writer.add(Note(text="a"))
            assert session.scalars(select(Note.text)).all() == ["a"]
        assert set(states) == {("idle",)}

    def test_consistent_reads_share_one_snapshot(self, notes_url):
        """The numbers of one report agree."""
        with reading(notes_url, consistent=True) as session:
            assert session.scalars(select(Note.text)).all() == []
            with writing(notes_url) as writer:
                writer.add(Note(text="a"))
            assert session.scalars(select(Note.text)).all() == []
            assert shown(session, "transaction_read_only") == "on"

    def test_rows_are_streamed_in_a_consistent_read(self, notes_url):
        """A table that does not fit into memory comes in parts; without a transaction it says what to do."""
        with writing(notes_url) as session:
            session.add_all([Note(text=str(number)) for number in range(50)])
        statement = select(Note.text).execution_options(yield_per=7)
        with reading(notes_url, consistent=True) as session:
            assert len([row for part in session.scalars(statement).partitions() for row in part]) == 50
        with reading(notes_url) as session, pytest.raises(errors.DatabaseError, match="consistent=True"):
            session.scalars(statement).all()

    def test_session_serves_on_after_an_error(self, notes_url):
        """A mistyped statement costs no connection."""
        with reading(notes_url) as session:
            with pytest.raises(errors.InvalidValueError):
                session.execute(text("SELECT 'x'::int"))
            assert session.scalars(text("SELECT 1")).one() == 1


class TestWriting:
    def test_commits_once_at_the_end(self, notes_url):
        """Nothing is seen from outside before the block ends, all of it after."""
        with writing(notes_url) as session:
            session.add(Note(text="a"))
            session.flush()
            assert texts(notes_url) == []
        assert texts(notes_url) == ["a"]

    def test_exception_rolls_everything_back(self, notes_url):
        """Ctrl-C in a notebook included."""
        with pytest.raises(KeyboardInterrupt), writing(notes_url) as session:
            session.add(Note(text="a"))
            session.flush()
            raise KeyboardInterrupt
        assert texts(notes_url) == []

    def test_savepoint_keeps_the_rest(self, notes_url):
        """One part may fail while the others are committed."""
        with writing(notes_url) as session:
            session.add(Note(text="a"))
            with pytest.raises(LookupError), session.begin_nested():
                session.add(Note(text="b"))
                session.flush()
                raise LookupError
        assert texts(notes_url) == ["a"]

    def test_write_after_an_early_commit_is_refused(self, notes_url):
        """It would run without limits or rollback."""
        with pytest.raises(errors.ReadOnlySessionError), writing(notes_url) as session:
            session.add(Note(text="a"))
            session.commit()
            session.execute(insert(Note).values(text="b"))
        assert texts(notes_url) == ["a"]

    def test_swallowed_error_cannot_be_committed(self, notes_url):
        """PostgreSQL would answer COMMIT with ROLLBACK, and no error of its own."""
        with pytest.raises(errors.DatabaseError, match="had failed"), writing(notes_url) as session:
            session.execute(insert(Note).values(text="a"))
            with pytest.raises(errors.InvalidValueError):
                session.execute(text("SELECT 'x'::int"))
        assert texts(notes_url) == []

    def test_isolation_and_settings_are_what_was_asked(self, notes_url):
        """Both are in force on the server."""
        with writing(notes_url, isolation="SERIALIZABLE", settings={"app.tenant": "ada"}) as session:
            assert shown(session, "transaction_isolation") == "serializable"
            assert shown(session, "app.tenant") == "ada"


class TestClaims:
    def test_are_sent_with_every_transaction_and_to_nobody_else(self, notes_url):
        """A script can act for somebody, in each kind of session and in what runs inside it."""

        async def claimed_in_a_write(session: ReadSession) -> str:
            async with write(session) as writer:
                return str((await writer.scalars(text(f"SELECT current_setting('{SETTING}')"))).one())

        claims = {"sub": "ada"}
        with reading(notes_url, claims=claims) as session:
            assert shown(session, SETTING) == encode(claims)
            assert session.run(claimed_in_a_write) == encode(claims)
            assert shown(session, SETTING) == encode(claims)
        with reading(notes_url, claims=claims, consistent=True) as session:
            assert shown(session, SETTING) == encode(claims)
        with writing(notes_url, claims=claims) as session:
            assert shown(session, SETTING) == encode(claims)
        with reading(notes_url) as session:
            assert session.scalars(text(f"SELECT current_setting('{SETTING}', true)")).one() in {None, ""}


class TestTimeouts:
    def test_are_in_force_in_every_kind_of_session(self, notes_url):
        """The owner has no limits of its own: they come with each transaction."""
        own = Timeouts(statement=7, lock=0.25, idle_in_transaction=3)
        for opened in (reading(notes_url, timeouts=own), reading(notes_url, timeouts=own, consistent=True)):
            with opened as session:
                assert tuple(session.execute(LIMITS).one()) == ("7s", "250ms", "3s")
        with writing(notes_url, timeouts=own) as session:
            assert tuple(session.execute(LIMITS).one()) == ("7s", "250ms", "3s")

    def test_default_to_the_applications(self, notes_url):
        """Whoever asks for nothing has the limits of a request."""
        with reading(notes_url) as session:
            assert tuple(session.execute(LIMITS).one()) == ("30s", "5s", "30s")

    def test_end_a_statement_on_the_server(self, notes_url):
        """A read and a write that take too long get the application's error."""
        own = Timeouts(statement=0.1)
        for session_of in (reading, writing):
            with pytest.raises(errors.StatementTimeoutError), session_of(notes_url, timeouts=own) as session:
                session.execute(text("SELECT pg_sleep(10)"))

    def test_leak_to_no_other_client_of_the_pooler(self, notes_database):
        """Clients with and without own limits take turns on the same server processes."""
        own = Timeouts(statement=7, lock=1, idle_in_transaction=2)
        with psycopg.connect(notes_database.pooled.libpq(), autocommit=True, prepare_threshold=None) as other:
            for _ in range(8):
                with reading(notes_database.pooled, timeouts=own) as session:
                    session.execute(LIMITS)
                with pytest.raises(LookupError), writing(notes_database.pooled, timeouts=own) as writer:
                    writer.execute(LIMITS)
                    raise LookupError
                assert other.execute(str(LIMITS).encode()).fetchone() == ("30s", "5s", "30s")


class TestNotebook:
    @pytest.mark.asyncio
    async def test_works_inside_a_running_loop(self, notes_url):
        """A notebook's cells run inside an event loop, where `asyncio.run` is not allowed."""
        assert asyncio.get_running_loop().is_running()
        with writing(notes_url) as session:
            session.add(Note(text="a"))
        assert texts(notes_url) == ["a"]

    def test_types_of_sessions_are_told_apart(self, notes_url):
        """A session that writes may be handed to what reads; both are SQLAlchemy's `Session`."""
        with reading(notes_url) as reader, writing(notes_url) as writer:
            assert isinstance(writer, SyncReadSession)
            assert not isinstance(reader, SyncWriteSession)
