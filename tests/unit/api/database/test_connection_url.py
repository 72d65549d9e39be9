"""A connection URL is a value, and its password stays inside."""

from __future__ import annotations

import copy
import string
import traceback
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.database.connection_url import ConnectionUrl, ConnectionUrlError, DirectUrl, PooledUrl

PLAIN = "postgresql://app:s3cret-word@localhost/app"

# Without surrogates and zero bytes, which no PostgreSQL text can hold.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
users = texts
databases = texts
passwords = texts.filter(lambda text: text.strip("*") and text.lower() != "[your-password]")
labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
host_names = st.lists(labels, min_size=1, max_size=4).map(".".join)
hosts = st.one_of(
    host_names,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    texts.filter(lambda text: "," not in text).map(lambda text: "/" + text),
)
ports = st.integers(1, 65535)
parts = st.fixed_dictionaries(
    {"user": users, "password": passwords, "database": databases, "host": hosts, "port": ports}
)


class TestReplace:
    """`ConnectionUrl.replace`."""

    def test_changes_only_what_is_given(self) -> None:
        """The kind, the password and the parameters stay."""
        url = DirectUrl.parse(f"{PLAIN}?application_name=x").replace(user="b", database="c", port=6000)
        assert url == DirectUrl.parse("postgresql://b:s3cret-word@localhost:6000/c?application_name=x")

    def test_changes_the_password(self) -> None:
        """A new password is sealed as well; an empty one takes it away."""
        url = PooledUrl.parse(PLAIN).replace(password="n3w/word")
        assert "n3w" not in repr(url)
        assert url.asyncpg()[0].password == "n3w/word"
        assert url.replace(password="") == PooledUrl.parse("postgresql://app@localhost/app")

    def test_refuses_the_other_kind(self) -> None:
        """A pooled URL cannot be turned into a direct one by changing its host."""
        with pytest.raises(ConnectionUrlError, match="Neon's direct host"):
            PooledUrl.parse(PLAIN).replace(host="ep-a.aws.neon.tech")

    @pytest.mark.parametrize("change", [{"host": "a,b"}, {"port": 0}, {"password": "***"}])
    def test_checks_like_parse(self, change: dict[str, Any]) -> None:
        """What `parse` refuses cannot come in here."""
        with pytest.raises(ConnectionUrlError):
            PooledUrl.parse(PLAIN).replace(**change)


class TestValue:
    """A URL is a value."""

    def test_equal_urls_are_one_in_a_set(self) -> None:
        """Equality and hash follow the value, not the spelling."""
        same = PooledUrl.parse("postgres://app:s3cret%2Dword@LOCALHOST:5432")
        assert {PooledUrl.parse(PLAIN), same} == {same}
        assert same != same.replace(password="other")

    def test_is_immutable_and_copies(self) -> None:
        """Nothing of a checked URL can be changed; settings that hold one can be copied."""
        url = PooledUrl.parse(PLAIN)
        with pytest.raises(AttributeError, match="replace"):
            url.host = "elsewhere"  # type: ignore[misc]
        assert copy.deepcopy(url) == url

    @given(parts)
    @example({"user": "a.", "password": "p", "database": "d", "host": "localhost", "port": 1})
    def test_libpq_text_parses_to_the_same(self, given: dict[str, Any]) -> None:
        """`parse(libpq())` loses nothing, whatever the parts."""
        url = PooledUrl.parse(PLAIN).replace(**given)
        assert PooledUrl.parse(url.libpq()) == url
        assert {name: getattr(url, name) for name in given if name != "password"} == {
            name: value for name, value in given.items() if name != "password"
        }

    @given(parts)
    def test_libpq_itself_reads_the_same(self, given: dict[str, Any]) -> None:
        """PostgreSQL's own parser takes the text apart into the same parts."""
        read = conninfo_to_dict(PooledUrl.parse(PLAIN).replace(**given).libpq())
        assert read.pop("dbname") == given["database"]
        assert read | {"database": given["database"], "port": int(read["port"])} == given

    @given(parts)
    def test_drivers_get_the_same_credentials(self, given: dict[str, Any]) -> None:
        """Both drivers are told the same user, password, database, host and port."""
        url = PooledUrl.parse(PLAIN).replace(**given)
        for_asyncpg, arguments = url.asyncpg()
        asyncpg = for_asyncpg.translate_connect_args(username="user") | arguments
        psycopg = PGDialect_psycopg().create_connect_args(url.psycopg())[1]
        assert {name: asyncpg[name] for name in given} == given
        psycopg |= {"database": psycopg["dbname"], "port": int(psycopg["port"])}
        assert {name: psycopg[name] for name in given} == given


#: Stands somewhere in each password: a piece of the password that shows is found as well, and no
#: word of an error message is mistaken for one.
MARK = "Zq7xW"
marked = st.tuples(texts, texts).map(MARK.join)
#: URLs with something wrong beside the password.
BROKEN = [
    "postgresql://app:{}@ep-q.aws.neon.tech/d",
    "postgresql://app:{}@h:99999/d",
    "postgresql://app:{}@h:port/d",
    "postgresql://app:{}@h,i/d",
    "postgresql://app:{}@h/d?nonsense=1",
    "postgresql://app:{}@h/d?sslmode=weird",
    "postgresql://app:{}@h/d?sslmode=disable&channel_binding=require",
    "postgresql://app:{}@",
    "postgresql://app:%zz{}@h/d",
    "postgresql://app:{}",
    "http://app:{}@h/d",
    "psql 'postgresql://app:{}@h/d'",
    "{}",
]


def vars_of(url: ConnectionUrl) -> dict[str, Any]:
    """Return the object's own attributes, which a debugger or an error tracker would print."""
    return {name: getattr(url, name) for name in ConnectionUrl.__slots__}


def everything_printed(error: ConnectionUrlError | None) -> str:
    """Return an error as an error tracker would record it: with variables, causes and contexts."""
    if error is None:
        return ""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The test's own frames know the password.
    inner = [str(frame.locals) for frame in trace.stack if frame.filename != __file__]
    assert inner
    return f"{inner} {error} {error!r} {error.hint} {vars(error)} {error.__cause__!r} {error.__context__!r}"


def refusal(text: str) -> ConnectionUrlError | None:
    """Return the error that `text` gives, if any."""
    try:
        PooledUrl.parse(text)
    except ConnectionUrlError as error:
        return error
    return None


class TestPassword:
    """The password never shows."""

    def test_mask(self) -> None:
        """The printed URL is whole but for the password."""
        assert str(PooledUrl.parse(PLAIN)) == "postgresql://app:***@localhost:5432/app"
        assert repr(PooledUrl.parse(PLAIN)) == "PooledUrl('postgresql://app:***@localhost:5432/app')"
        assert str(PooledUrl.parse("postgresql://app@h")) == "postgresql://app@h:5432/app"

    @given(marked)
    def test_hidden_when_printed(self, password: str) -> None:
        """Neither the URL nor what the drivers are given prints the password."""
        url = DirectUrl.parse(PLAIN).replace(password=password)
        sqlalchemy_url, arguments = url.asyncpg()
        assert MARK not in f"{url!r} {url} {sqlalchemy_url!r} {url.psycopg()!r} {arguments} {vars_of(url)}"

    @given(marked, st.sampled_from(BROKEN))
    @example(f"p@ss/{MARK}?{MARK}=1", "postgresql://app:{}@h/d?nonsense=1")
    @example(f"word?{MARK}=1@{MARK}", "postgresql://app:{}@h/d")
    @example(f"1234/x?{MARK}=1", "postgresql://app:{}@h/d")
    @example(f"1@{MARK}/{MARK}", "postgresql://app:{}@h/d")
    def test_hidden_in_errors(self, password: str, template: str) -> None:
        """No error, nor any variable of the code that raised it, holds a piece of the password."""
        for text in (password, quote(password, safe="")):
            assert MARK not in everything_printed(refusal(template.format(text)))

    @given(marked, st.sampled_from(["postgresql://h,i/d?user=u&password={}", f"{PLAIN}?sslpassword={{}}"]))
    def test_hidden_in_errors_when_a_parameter(self, password: str, template: str) -> None:
        """A password among the parameters is as safe."""
        error = refusal(template.format(quote(password, safe="")))
        assert error is not None
        assert MARK not in everything_printed(error)

    def test_hidden_in_replace_errors(self) -> None:
        """A refused change shows neither the old nor the new password."""
        url = PooledUrl.parse(PLAIN)
        with pytest.raises(ConnectionUrlError) as caught:
            url.replace(password="n3w-word", host="ep-a.aws.neon.tech")
        printed = everything_printed(caught.value)
        assert "n3w-word" not in printed
        assert "s3cret-word" not in printed
