"""The way through TLS for programs that know none, on a real PgBouncer that insists on it."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
import trustme

from api.database.connection_url import DirectUrl
from infra.branches.tls_tunnel import without_tls
from infra.local.home import postgres_programs
from infra.local.pooler import Pooler, TlsFiles


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, with its own certificate in a file."""
    made = trustme.CA()
    made.file = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(made.file)
    return made


@pytest.fixture(scope="module")
def encrypted(cluster, authority, tmp_path_factory):
    """A pooler's URL that a client without TLS gets nowhere with."""
    folder = tmp_path_factory.mktemp("encrypted")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    issued.private_key_pem.write_to_path(folder / "tls.key")
    password = "a/password of a test's"
    with psycopg.connect(cluster.superuser_url().libpq()) as connection:
        connection.execute(
            f"CREATE ROLE tunnelling LOGIN PASSWORD '{password.replace(chr(39), chr(39) * 2)}'"
        )
    pooler = Pooler.start(
        folder / "pooler",
        postgres=cluster,
        users={"tunnelling": password},
        tls=TlsFiles(folder / "tls.crt", folder / "tls.key"),
    )
    yield DirectUrl.parse(pooler.url("postgres", "tunnelling", password).libpq())
    pooler.remove()
    with psycopg.connect(cluster.superuser_url().libpq()) as connection:
        connection.execute("DROP ROLE tunnelling")


def with_mode(url, mode, root):
    return DirectUrl.parse(url.libpq().replace("sslmode=require", f"sslmode={mode}&sslrootcert={root}"))


class TestWithoutTls:
    def test_program_without_tls_reaches_the_database(self, encrypted):
        """The wheel's psql, which refuses to try by itself."""
        command = [postgres_programs() / "psql", "-Atc", "SELECT current_user"]

        def run(url):
            environment = {"PGPASSWORD": "a/password of a test's"}
            shown = url.replace(password="").libpq()
            return subprocess.run(
                [*command, shown], env=environment, capture_output=True, text=True, check=False, cwd="/"
            )

        assert "SSL support is not compiled in" in run(encrypted).stderr
        with without_tls(encrypted) as url:
            assert run(url).stdout == "tunnelling\n"

    def test_several_connections_at_once_are_kept_apart(self, encrypted, authority):
        """Each has its own way, and all end with the block."""
        with without_tls(with_mode(encrypted, "verify-full", authority.file)) as url:
            first, second = (psycopg.connect(url.libpq(), autocommit=True) for _ in range(2))
            assert [each.execute("SELECT 7").fetchone() for each in (second, first)] == [(7,), (7,)]
        for each in (first, second):
            with pytest.raises(psycopg.OperationalError):
                each.execute("SELECT 1")
            each.close()

    def test_server_with_another_certificate_gets_nothing(self, encrypted, tmp_path):
        """What the URL asks to check is checked before anything is sent."""
        trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
        with (
            without_tls(with_mode(encrypted, "verify-full", tmp_path / "other.pem")) as url,
            pytest.raises(psycopg.OperationalError, match="closed the connection"),
        ):
            psycopg.connect(url.libpq())

    def test_url_that_does_not_insist_is_left_as_it_is(self, cluster):
        """Then the program can do it itself."""
        plain = cluster.superuser_url()
        with without_tls(plain) as url:
            assert url is plain
