"""What `parse` reads and what it says about what it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.database.connection_url import ConnectionUrl, ConnectionUrlError

NEON = "postgresql://alex:s3cret-word@ep-cool-rain-123456.us-east-2.aws.neon.tech/neondb"
NEON_POOLED = "postgresql://alex:s3cret-word@ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech/neondb"
SUPABASE_SHARED = (
    "postgresql://postgres.abcdefghijklmnopqrst:s3cret-word@aws-0-eu-central-1.pooler.supabase.com"
)
PLAIN = "postgresql://app:s3cret-word@localhost/app"


class TestParse:
    """`ConnectionUrl.parse`."""

    @pytest.mark.parametrize(
        "scheme",
        ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgres+psycopg2"],
    )
    def test_reads_every_scheme(self, scheme: str) -> None:
        """Whatever driver the scheme names, the parts are the same."""
        assert ConnectionUrl.parse(PLAIN.replace("postgresql", scheme, 1)) == ConnectionUrl.parse(PLAIN)

    def test_fills_in_libpq_defaults(self) -> None:
        """Port 5432, the user's name for the database, and `prefer` are libpq's defaults."""
        url = ConnectionUrl.parse("postgresql://app@localhost")
        assert (url.host, url.port, url.database, url.user) == ("localhost", 5432, "app", "app")
        assert (url.sslmode, url.application_name) == ("prefer", None)

    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("postgresql://u@[::1]/d", "::1", 5432),
            ("postgresql://u@[2001:DB8::7]:6000/d", "2001:db8::7", 6000),
            ("postgresql://u@[fe80::1%25eth0]/d", "fe80::1%eth0", 5432),
            ("postgresql://u@%2Fvar%2Frun%2Fpostgresql:5433/d", "/var/run/postgresql", 5433),
            ("postgresql:///d?host=/tmp&port=6000&user=u", "/tmp", 6000),
            ("postgresql://u@/d?host=/tmp", "/tmp", 5432),
            ("postgresql://u@DB.Example.COM./d", "db.example.com", 5432),
            ("postgresql://u@10.0.0.7:1/d", "10.0.0.7", 1),
        ],
    )
    def test_reads_every_kind_of_host(self, text: str, host: str, port: int) -> None:
        """IPv6 addresses, sockets and names come out as the drivers take them."""
        url = ConnectionUrl.parse(text)
        assert (url.host, url.port, url.database, url.user) == (host, port, "d", "u")

    def test_reads_several_parameters(self) -> None:
        """A path in a parameter is no second database, and `+` is no space."""
        url = ConnectionUrl.parse(
            f"{PLAIN}?application_name=a+b%20c&sslrootcert=/etc/ca.pem&connect_timeout=3"
        )
        assert url.application_name == "a+b c"
        assert url.psycopg().query["sslrootcert"] == "/etc/ca.pem"

    @pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
    def test_takes_every_sslmode(self, mode: str) -> None:
        """All six modes of libpq are known, also under SQLAlchemy's name `ssl`."""
        assert ConnectionUrl.parse(f"{PLAIN}?sslmode={mode}").sslmode == mode
        assert ConnectionUrl.parse(f"{PLAIN}?ssl={mode}").sslmode == mode

    @pytest.mark.parametrize("text", [NEON, NEON_POOLED, SUPABASE_SHARED])
    def test_requires_tls_of_providers(self, text: str) -> None:
        """Neon and Supabase are never spoken to in plain text for want of a parameter."""
        assert ConnectionUrl.parse(text).sslmode == "require"

    def test_verifies_with_system_roots(self) -> None:
        """As in libpq, `sslrootcert=system` alone means `verify-full`."""
        assert ConnectionUrl.parse(f"{PLAIN}?sslrootcert=system").sslmode == "verify-full"

    @pytest.mark.parametrize(
        "extra", ["pgbouncer=true", "supa=base-pooler.x", "pgbouncer=true&connection_limit=1"]
    )
    def test_drops_parameters_of_other_clients(self, extra: str) -> None:
        """What Prisma's and Vercel's guides add means nothing here."""
        assert ConnectionUrl.parse(f"{PLAIN}?{extra}") == ConnectionUrl.parse(PLAIN)

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("", "is empty", "postgresql://"),
            (" \n", "is empty", "postgresql://"),
            ("garbage", "does not start with", "postgresql://"),
            ("http://u:pw@h/d", "does not start with", "postgresql://"),
            ("jdbc:postgresql://h/d", "does not start with", "postgresql://"),
            (f"{PLAIN}\n", "white space", "remove"),
            (f"'{PLAIN}'", "quotes", "remove"),
            (f"psql '{PLAIN}'", "psql command", "between the quotes"),
            ("postgresql://u:p w@h/d", "a space", "%20"),
            ("postgresql://u:\udcffw@h/d", "UTF-8", "%20"),
            ("postgresql://h/d", "no user", "user:password@host"),
            ("postgresql://u@/d", "no host", "localhost"),
            ("postgresql://u@h:0/d", "port", None),
            ("postgresql://u@h:65536/d", "port", None),
            ("postgresql://u@h:x/d", "port", "host:port"),
            ("postgresql://u@h:٣/d", "port", "host:port"),
            ("postgresql://u@h1,h2/d", "several hosts", "name one"),
            ("postgresql://u@::1/d", "more than one :", "brackets"),
            ("postgresql://u@[::1/d", "IPv6", None),
            ("postgresql://u@[::zz]/d", "IPv6", None),
            ("postgresql://u@bad!host/d", "no host name", "%40"),
            ("postgresql://u@h/a/b", "more than one /", "%2F"),
            ("postgresql://u:a@b@h/d", "not percent-encoded", "%40"),
            ("postgresql://u:a/b@h/d", "not percent-encoded", "%2F"),
            ("postgresql://u:a?b@h/d", "not percent-encoded", "%3F"),
            ("postgresql://u:100%@h/d", "password has a %", "%25"),
            ("postgresql://u:%FF@h/d", "not UTF-8", "UTF-8"),
            ("postgresql://u:%00@h/d", "zero byte", None),
            ("postgresql://u:[YOUR-PASSWORD]@h/d", "placeholder", "put it in"),
            ("postgresql://u:****@h/d", "placeholder", "put it in"),
            (f"{PLAIN}?sslmod=require", "unknown parameter: sslmod", "did you mean sslmode?"),
            (f"{PLAIN}?zzz=1", "unknown parameter: zzz", "application_name"),
            (f"{PLAIN}?sslmode=on", "sslmode has a value", "verify-full"),
            (f"{PLAIN}?sslmode=", "not name=value", "name=value"),
            (f"{PLAIN}?connect_timeout=10s", "connect_timeout is not a whole number", None),
            (f"{PLAIN}?sslmode=require&sslmode=disable", "sslmode twice", "keep one"),
            (f"{PLAIN}?sslmode=require&ssl=true", "both ssl and sslmode", "sslmode"),
            (f"{PLAIN}?user=other", "gives user twice", "keep one"),
            (f"{PLAIN}?service=main", "service, which is not supported", "into the URL"),
            (f"{PLAIN}?sslmode=disable&channel_binding=require", "without TLS", "sslmode=require"),
            ("postgresql://u@/d?host=/tmp&channel_binding=require", "without TLS", "sslmode=require"),
            (f"{PLAIN}?sslmode=verify-ca&sslrootcert=system", "means nothing", "verify-full"),
            (f"{PLAIN}?sslnegotiation=direct", "excludes sslmode=prefer", "require"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, message: str, hint: str | None) -> None:
        """Every mistake has its own message and a way out."""
        with pytest.raises(ConnectionUrlError) as caught:
            ConnectionUrl.parse(text)
        error = caught.value
        assert message in str(error)
        assert (hint or "") in (error.hint or "")
        assert (error.hint is None) == (hint is None) or "port" in message
        assert error.code == "CONNECTION_URL_INVALID"

    @given(
        st.text(max_size=80),
        st.sampled_from(["", "postgresql://", "postgresql://u:p@h/d?", "postgres://u@["]),
    )
    def test_any_text_parses_or_is_refused(self, text: str, front: str) -> None:
        """No text makes anything else than a URL or a ConnectionUrlError."""
        try:
            url = ConnectionUrl.parse(front + text)
        except ConnectionUrlError:
            return
        assert ConnectionUrl.parse(url.libpq()) == url
