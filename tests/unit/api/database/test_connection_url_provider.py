"""Pooled addresses are told from direct ones, and the refusal names the fix."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from api.database.connection_url import ConnectionUrl, ConnectionUrlError, DirectUrl, PooledUrl, Provider

NEON = "postgresql://alex:s3cret-word@ep-cool-rain-123456.us-east-2.aws.neon.tech/neondb"
NEON_POOLED = "postgresql://alex:s3cret-word@ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech/neondb"
REF = "abcdefghijklmnopqrst"
SUPABASE_DIRECT = f"postgresql://postgres:s3cret-word@db.{REF}.supabase.co:5432/postgres"
SUPABASE_DEDICATED = f"postgresql://postgres:s3cret-word@db.{REF}.supabase.co:6543/postgres"
SUPABASE_SHARED = f"postgresql://postgres.{REF}:s3cret-word@aws-0-eu-central-1.pooler.supabase.com"
PLAIN = "postgresql://app:s3cret-word@localhost/app"


def failure(kind: type[ConnectionUrl], text: str) -> ConnectionUrlError:
    """Return the error that `text` gives."""
    with pytest.raises(ConnectionUrlError) as caught:
        kind.parse(text)
    return caught.value


class TestKind:
    """`PooledUrl` and `DirectUrl` tell pooled addresses from direct ones."""

    @pytest.mark.parametrize(
        ("text", "provider"),
        [
            (NEON_POOLED, Provider.NEON),
            (SUPABASE_DEDICATED, Provider.SUPABASE),
            (f"{SUPABASE_SHARED}:6543/postgres", Provider.SUPABASE),
            (PLAIN, Provider.PLAIN),
            ("postgresql://u:p@x.cluster-y.eu-west-1.rds.amazonaws.com/d", Provider.PLAIN),
            ("postgresql://u:p@neon.tech.example.com/d", Provider.PLAIN),
            ("postgresql://u:p@%2F.pooler.supabase.com/d", Provider.PLAIN),
        ],
    )
    def test_pooled_accepts(self, text: str, provider: Provider) -> None:
        """A pooler, or a plain host that may be one, is taken and its provider known."""
        assert PooledUrl.parse(text).provider is provider

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            (NEON, "Neon's direct host", "ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech"),
            (SUPABASE_DIRECT, "Supabase's direct address", f"port 6543, user postgres.{REF}"),
            (f"{SUPABASE_SHARED}:5432/postgres", "session mode", "port 6543"),
            (f"{SUPABASE_SHARED}/postgres", "session mode", "port 6543"),
        ],
    )
    def test_pooled_refuses_direct(self, text: str, message: str, hint: str) -> None:
        """The reason names the address, the hint what to use instead."""
        error = failure(PooledUrl, text)
        assert message in str(error)
        assert hint in (error.hint or "")

    @pytest.mark.parametrize("text", [NEON, SUPABASE_DIRECT, f"{SUPABASE_SHARED}:5432/postgres", PLAIN])
    def test_direct_accepts(self, text: str) -> None:
        """The server itself, a session-mode pooler and a plain host are taken."""
        assert DirectUrl.parse(text).host in text

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            (NEON_POOLED, "Neon's pooler", "ep-cool-rain-123456.us-east-2.aws.neon.tech"),
            (SUPABASE_DEDICATED, "transaction pooler", "port 5432 of the same host, the database itself"),
            (f"{SUPABASE_SHARED}:6543/postgres", "transaction pooler", "port 5432 of the same host, session"),
        ],
    )
    def test_direct_refuses_pooled(self, text: str, message: str, hint: str) -> None:
        """The reason names the address, the hint what to use instead."""
        error = failure(DirectUrl, text)
        assert message in str(error)
        assert hint in (error.hint or "")

    def test_neon_fix_is_accepted(self) -> None:
        """The host that the hint names is the right one."""
        host = (failure(PooledUrl, NEON).hint or "").split()[-1]
        assert PooledUrl.parse(NEON_POOLED).host == host

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            (SUPABASE_SHARED.replace(f".{REF}", "") + ":6543/postgres", "postgres.<project reference>"),
            (SUPABASE_DEDICATED.replace("postgres:", f"postgres.{REF}:"), "use the user postgres:"),
        ],
    )
    def test_supabase_user_must_fit_the_host(self, text: str, hint: str) -> None:
        """Only the shared pooler takes, and needs, the project's reference in the user."""
        assert hint in (failure(ConnectionUrl, text).hint or "")

    def test_supabase_reference_may_stand_in_options(self) -> None:
        """Supavisor also finds the project by `options=reference=<ref>`."""
        text = SUPABASE_SHARED.replace(f".{REF}", "") + f":6543/postgres?options=reference%3D{REF}"
        assert PooledUrl.parse(text).user == "postgres"

    def test_kinds_are_never_equal(self) -> None:
        """The same address as pooled and as direct is two things."""
        assert PooledUrl.parse(PLAIN) != DirectUrl.parse(PLAIN)
        assert not issubclass(PooledUrl, DirectUrl)
        assert not issubclass(DirectUrl, PooledUrl)

    @pytest.mark.parametrize(
        "options", ["-c statement_timeout=30000", "-cstatement_timeout=30000", "--statement_timeout=30000"]
    )
    def test_pooled_refuses_settings_in_options(self, options: str) -> None:
        """A pooler rejects or drops them; the hint names the role as the place for them."""
        error = failure(PooledUrl, f"{PLAIN}?options={quote(options)}")
        assert "statement_timeout" in str(error)
        assert "ALTER ROLE <role> SET statement_timeout" in (error.hint or "")
        assert DirectUrl.parse(f"{PLAIN}?options={quote(options)}").psycopg().query["options"] == options

    @pytest.mark.parametrize(
        "extra", ["require_auth=scram-sha-256", "gssencmode=require", "sslcrl=/crl", "sslcert=/c&sslkey=/k"]
    )
    def test_pooled_refuses_what_asyncpg_cannot_honour(self, extra: str) -> None:
        """A protection is never left out silently; psycopg has them all."""
        assert "asyncpg" in str(failure(PooledUrl, f"{PLAIN}?{extra}"))
        direct = DirectUrl.parse(f"{PLAIN}?{extra}")
        assert extra.partition("=")[0] in direct.psycopg().query
        with pytest.raises(ConnectionUrlError, match="asyncpg"):
            direct.asyncpg()
