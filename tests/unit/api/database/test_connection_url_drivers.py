"""What asyncpg and psycopg are handed."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.database.connection_url import ConnectionUrl, ConnectionUrlError, PooledUrl

NEON = "postgresql://alex:s3cret-word@ep-cool-rain-123456.us-east-2.aws.neon.tech/neondb"
NEON_POOLED = "postgresql://alex:s3cret-word@ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech/neondb"
PLAIN = "postgresql://app:s3cret-word@localhost/app"


class TestAsyncpg:
    """`ConnectionUrl.asyncpg`."""

    def test_url_has_no_query(self) -> None:
        """What asyncpg does not know it would send to the server, which refuses it."""
        url, arguments = ConnectionUrl.parse(
            f"{PLAIN}?sslmode=disable&connect_timeout=7&application_name=x&target_session_attrs=read-write"
        ).asyncpg()
        assert url.drivername == "postgresql+asyncpg"
        assert not url.query
        assert arguments == {
            "ssl": False,
            "timeout": 7,
            "server_settings": {"application_name": "x"},
            "target_session_attrs": "read-write",
        }

    @pytest.mark.parametrize("seconds", ["0", "-1"])
    def test_no_connect_timeout_means_no_limit(self, seconds: str) -> None:
        """Zero and negative numbers of libpq are asyncpg's None; asyncpg's zero would fail at once."""
        assert ConnectionUrl.parse(f"{PLAIN}?connect_timeout={seconds}").asyncpg()[1]["timeout"] is None

    @pytest.mark.parametrize("mode", ["allow", "prefer"])
    def test_modes_that_try_both_go_by_name(self, mode: str) -> None:
        """Only a mode's name makes asyncpg fall back to plain text, or to TLS."""
        assert ConnectionUrl.parse(f"{PLAIN}?sslmode={mode}").asyncpg()[1] == {"ssl": mode}

    @pytest.mark.parametrize(
        ("query", "verified", "name"),
        [
            ("sslmode=require", ssl.CERT_NONE, "any"),
            ("sslmode=require&sslrootcert={ca}", ssl.CERT_REQUIRED, "any"),
            ("sslmode=verify-ca", ssl.CERT_REQUIRED, "any"),
            ("sslmode=verify-ca&sslrootcert={ca}", ssl.CERT_REQUIRED, "any"),
            ("sslmode=verify-full", ssl.CERT_REQUIRED, "name"),
            ("sslmode=verify-full&sslrootcert=system", ssl.CERT_REQUIRED, "name"),
            ("sslmode=require&channel_binding=require", ssl.CERT_REQUIRED, "name"),
            ("channel_binding=require&sslrootcert={ca}", ssl.CERT_REQUIRED, "name"),
            ("sslmode=require&channel_binding=prefer", ssl.CERT_NONE, "any"),
        ],
    )
    def test_context_checks_what_the_mode_promises(
        self, tmp_path: Path, query: str, verified: ssl.VerifyMode, name: str
    ) -> None:
        """`require` with a CA verifies it, as in libpq; channel binding becomes verify-full."""
        ca = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(ca)
        context = ConnectionUrl.parse(f"{PLAIN}?{query.format(ca=ca)}").asyncpg()[1]["ssl"]
        assert isinstance(context, ssl.SSLContext)
        assert (context.verify_mode, context.check_hostname) == (verified, name == "name")
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2

    def test_context_holds_the_protocol_versions(self) -> None:
        """The URL's bounds are the context's."""
        query = "sslmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3"
        context = ConnectionUrl.parse(f"{PLAIN}?{query}").asyncpg()[1]["ssl"]
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
        assert context.maximum_version is ssl.TLSVersion.TLSv1_3

    def test_missing_certificate_is_named(self, tmp_path: Path) -> None:
        """The error names the parameter and the file."""
        path = tmp_path / "none.pem"
        with pytest.raises(ConnectionUrlError, match=r"sslrootcert cannot be loaded: .*none\.pem"):
            ConnectionUrl.parse(f"{PLAIN}?sslmode=verify-full&sslrootcert={path}").asyncpg()

    def test_direct_negotiation_is_passed_on(self) -> None:
        """`sslnegotiation=direct` is asyncpg's `direct_tls`."""
        url = ConnectionUrl.parse(f"{PLAIN}?sslmode=require&sslnegotiation=direct")
        assert url.asyncpg()[1]["direct_tls"] is True

    @pytest.mark.parametrize("option", ["endpoint=ep-cool-rain-123456", "project=ep-x"])
    def test_routing_options_are_sent_at_startup(self, option: str) -> None:
        """Neon's proxy reads them from the startup message, where libpq puts them too."""
        url = PooledUrl.parse(f"{NEON_POOLED}?options={quote(option)}")
        assert url.asyncpg()[1]["server_settings"] == {"options": option}
        assert url.psycopg().query["options"] == option

    def test_socket_has_no_tls(self) -> None:
        """As in libpq, the mode is ignored on a socket; its folder goes where asyncpg takes it."""
        url, arguments = ConnectionUrl.parse("postgresql://u@%2Frun:6000/d?sslmode=verify-full").asyncpg()
        assert arguments == {"ssl": False, "host": "/run", "port": 6000}
        assert url.host is None


class TestPsycopg:
    """`ConnectionUrl.psycopg`."""

    def test_keeps_parameters(self) -> None:
        """All of them are left for libpq to read."""
        url = ConnectionUrl.parse(f"{NEON}?channel_binding=require&connect_timeout=5").psycopg()
        assert url.drivername == "postgresql+psycopg"
        assert url.query == {"channel_binding": "require", "connect_timeout": "5", "sslmode": "require"}

    def test_names_the_mode_always(self) -> None:
        """Otherwise PGSSLMODE would mean something else to psycopg than to asyncpg."""
        assert ConnectionUrl.parse(PLAIN).psycopg().query == {"sslmode": "prefer"}

    @pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
    def test_finds_the_system_roots(self, mode: str) -> None:
        """The wheel's libpq knows no system's CAs; it is told the file."""
        path = ConnectionUrl.parse(f"{PLAIN}?sslmode={mode}").psycopg().query["sslrootcert"]
        assert isinstance(path, str)
        assert "BEGIN CERTIFICATE" in Path(path).read_text(encoding="utf-8")

    def test_socket_is_the_host(self) -> None:
        """SQLAlchemy hands the folder and the number to psycopg."""
        url = ConnectionUrl.parse("postgresql://u@%2Frun%2Fpg:6000/d").psycopg()
        given = PGDialect_psycopg().create_connect_args(url)[1]
        assert (given["host"], str(given["port"]), given["dbname"], given["user"]) == (
            "/run/pg",
            "6000",
            "d",
            "u",
        )
