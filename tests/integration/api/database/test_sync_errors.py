"""What fails in a synchronous session fails with the application's errors."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import insert, select, text

from api.database import errors
from api.database.sync import reading, writing
from api.database.timeouts import Timeouts
from tests.support.notes import Note, Parent
from tests.support.tcp_proxy import TcpProxy


class TestErrors:
    def test_violation_names_the_constraint_and_no_value(self, notes_url):
        """Scripts tell conflicts apart as services do."""
        with pytest.raises(errors.UniqueViolationError) as caught, writing(notes_url) as session:
            session.add(Parent(id=77))
            session.flush()
            session.execute(insert(Parent).values(id=77))
        assert caught.value.constraint == "pk_test_parent"
        assert "77" not in str(caught.value)

    def test_violation_at_commit_is_the_same_error(self, notes_url):
        """A deferred constraint speaks at COMMIT, and that nothing was committed is certain."""
        with pytest.raises(errors.ForeignKeyViolationError), writing(notes_url) as session:
            session.add(Note(text="a", parent_id=5))
        with reading(notes_url) as session:
            assert session.scalars(select(Note)).all() == []

    @pytest.mark.parametrize("value", ["secret\0", "\ud800"])
    def test_value_that_cannot_be_stored_is_not_quoted(self, notes_url, value):
        """What the driver itself refuses is an invalid value too."""
        with (
            pytest.raises((errors.InvalidValueError, UnicodeEncodeError)) as caught,
            writing(notes_url) as session,
        ):
            session.add(Note(text=value))
        assert "secret" not in str(caught.value)

    def test_lock_that_another_holds(self, notes_url, notes_database):
        """The wait ends at its limit."""
        with psycopg.connect(notes_database.direct.libpq()) as owner:
            owner.execute("LOCK TABLE test_note")
            own = Timeouts(lock=0.1)
            with pytest.raises(errors.LockTimeoutError), writing(notes_url, timeouts=own) as session:
                session.add(Note(text="a"))

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ({"password": "a-wrong-password"}, errors.DatabaseAuthenticationError),
            ({"user": "nobody"}, errors.DatabaseAuthenticationError),
            ({"database": "nowhere"}, errors.DatabaseUnavailableError),
            ({"port": 1}, errors.DatabaseUnavailableError),
        ],
        ids=lambda value: "".join(value) if isinstance(value, dict) else "",
    )
    def test_connection_that_cannot_be_made(self, notes_url, change, kind):
        """The same errors as the application's, without the password."""
        with pytest.raises(kind) as caught, reading(notes_url.replace(**change)) as session:
            session.execute(text("SELECT 1"))
        assert type(caught.value) is kind
        assert "a-wrong-password" not in str(caught.value)

    def test_server_that_says_nothing(self, notes_database):
        """The URL's connect timeout ends the wait."""
        with TcpProxy(notes_database.direct.port) as proxy:
            proxy.freeze()
            silent = notes_database.direct.replace(port=proxy.port)
            silent = type(silent).parse(silent.libpq() + "&connect_timeout=2")
            with (
                pytest.raises(errors.DatabaseUnavailableError, match="within 2 s"),
                reading(silent) as session,
            ):
                session.execute(text("SELECT 1"))

    def test_connection_that_ends_under_a_statement(self, notes_url, notes_database):
        """It is lost, not a bug; the next block has a new one."""
        administrator = psycopg.connect(notes_database.superuser.libpq(), autocommit=True)
        with administrator, pytest.raises(errors.ConnectionLostError), writing(notes_url) as session:
            pid = session.scalars(text("SELECT pg_backend_pid()")).one()
            administrator.execute("SELECT pg_terminate_backend(%s, 1000)", [pid])
            session.execute(text("SELECT 1"))
        with reading(notes_url) as session:
            assert session.scalars(select(Note)).all() == []

    def test_connection_that_ends_under_commit(self, notes_database):
        """Whether it took effect is not known, and the error says so."""
        with TcpProxy(notes_database.direct.port) as proxy:
            through = notes_database.direct.replace(port=proxy.port)
            with pytest.raises(errors.CommitUncertainError), writing(through) as session:
                session.add(Note(text="a"))
                session.flush()
                proxy.cut()
