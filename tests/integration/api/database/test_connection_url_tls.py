"""What each `sslmode` lets through, tried with both drivers on a PgBouncer that insists on TLS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import psycopg
import pytest
import trustme
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.database.connection_url import PooledUrl
from infra.local.pooler import Pooler, TlsFiles
from infra.testing.databases import APPLICATION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from infra.local.postgres import PostgresCluster
    from infra.testing.databases import Database

#: What each driver raises when the certificate does not hold.
NOT_TRUSTED = (ssl.SSLCertVerificationError, psycopg.OperationalError)


@dataclass(frozen=True)
class TlsServer:
    """A pooler with a certificate for `localhost`, and files of its CA and of another one."""

    pooler: Pooler
    ca: Path
    other_ca: Path

    def url(self, database: Database, query: str, host: str = "localhost") -> PooledUrl:
        """Return a URL whose query may name the files by `{ca}` and `{other_ca}`."""
        text = database.pooled.replace(host=host, port=self.pooler.port).libpq().partition("?")[0]
        return PooledUrl.parse(f"{text}?{query.format(ca=self.ca, other_ca=self.other_ca)}")


@pytest.fixture(scope="module")
def server(
    cluster: PostgresCluster, application_password: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TlsServer]:
    """One for all tests here."""
    folder = tmp_path_factory.mktemp("tls")
    ca, other_ca = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    other_ca.cert_pem.write_to_path(folder / "other.pem")
    certificate = ca.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    pooler = Pooler.start(
        tmp_path_factory.mktemp("tls_pooler"),
        postgres=cluster,
        users={APPLICATION: application_password},
        tls=TlsFiles(folder / "cert.pem", folder / "key.pem"),
    )
    yield TlsServer(pooler, folder / "ca.pem", folder / "other.pem")
    pooler.remove()


async def answer_of_asyncpg(url: PooledUrl) -> int:
    """Return 1 from the database, through what asyncpg is handed."""
    sqlalchemy_url, arguments = url.asyncpg()
    where = sqlalchemy_url.translate_connect_args(username="user")
    connection = await asyncpg.connect(**where, **arguments, statement_cache_size=0)
    try:
        return int(await connection.fetchval("SELECT 1"))
    finally:
        await connection.close()


async def answer_of_psycopg(url: PooledUrl) -> int:
    """Return 1 from the database, through what psycopg is handed."""
    _, arguments = PGDialect_psycopg().create_connect_args(url.psycopg())
    async with await psycopg.AsyncConnection.connect(**arguments, prepare_threshold=None) as connection:
        row = await (await connection.execute("SELECT 1")).fetchone()
    assert row is not None
    return int(row[0])


both_drivers = pytest.mark.parametrize("answer_of", [answer_of_asyncpg, answer_of_psycopg])


@both_drivers
@pytest.mark.asyncio
class TestTls:
    """The same URL lets the same servers through, whatever the driver."""

    @pytest.mark.parametrize(
        ("query", "host"),
        [
            ("sslmode=verify-full&sslrootcert={ca}", "localhost"),
            ("sslmode=verify-ca&sslrootcert={ca}", "127.0.0.1"),
            ("sslmode=require&sslrootcert={ca}", "127.0.0.1"),
            ("sslmode=require", "127.0.0.1"),
            ("sslmode=prefer", "127.0.0.1"),
            ("", "127.0.0.1"),
        ],
    )
    async def test_connects_to_what_the_mode_allows(
        self, answer_of, server: TlsServer, empty_database: Database, query: str, host: str
    ) -> None:
        """Each mode checks no more than it promises."""
        assert await answer_of(server.url(empty_database, query, host)) == 1

    @pytest.mark.parametrize(
        ("query", "host"),
        [
            ("sslmode=verify-full&sslrootcert={ca}", "127.0.0.1"),
            ("sslmode=verify-full&sslrootcert={other_ca}", "localhost"),
            ("sslmode=verify-full", "localhost"),
            ("sslmode=verify-ca&sslrootcert={other_ca}", "localhost"),
            ("sslmode=verify-ca", "localhost"),
            ("sslmode=require&sslrootcert={other_ca}", "localhost"),
        ],
    )
    async def test_refuses_what_the_mode_forbids(
        self, answer_of, server: TlsServer, empty_database: Database, query: str, host: str
    ) -> None:
        """A certificate of another CA, or for another name, ends the connection."""
        with pytest.raises(NOT_TRUSTED, match="certificate"):
            await answer_of(server.url(empty_database, query, host))

    @pytest.mark.parametrize("query", ["sslmode=verify-full", "sslrootcert=system"])
    async def test_system_roots_are_those_of_the_environment(
        self,
        answer_of,
        server: TlsServer,
        empty_database: Database,
        query: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Both drivers trust what OpenSSL's `SSL_CERT_FILE` names."""
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
        assert await answer_of(server.url(empty_database, query)) == 1

    async def test_disable_sends_no_tls(self, answer_of, server: TlsServer, empty_database: Database) -> None:
        """The pooler, which insists on TLS, is what refuses."""
        with pytest.raises((asyncpg.PostgresError, psycopg.OperationalError), match="SSL required"):
            await answer_of(server.url(empty_database, "sslmode=disable"))


@pytest.mark.asyncio
class TestChannelBinding:
    """`channel_binding=require`, which asyncpg does not have, asks as much of the certificate."""

    async def test_asyncpg_verifies_instead(self, server: TlsServer, empty_database: Database) -> None:
        """`require` alone would let any server through; with channel binding it does not."""
        with pytest.raises(ssl.SSLCertVerificationError):
            await answer_of_asyncpg(server.url(empty_database, "sslmode=require&channel_binding=require"))
        trusted = "sslmode=require&channel_binding=require&sslrootcert={ca}"
        assert await answer_of_asyncpg(server.url(empty_database, trusted)) == 1

    async def test_psycopg_keeps_it(self, server: TlsServer, empty_database: Database) -> None:
        """This pooler offers no channel binding, and libpq says so."""
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            await answer_of_psycopg(server.url(empty_database, "sslmode=require&channel_binding=require"))


@asynccontextmanager
async def greeter(context: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve, on a port, PostgreSQL's way to TLS and then an error that names the client's certificate.

    The pooler cannot tell: PgBouncer checks a client's certificate but hands its name to nobody.
    """

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(context)
        await reader.readexactly(4)
        subject = writer.get_extra_info("peercert")["subjectAltName"][0][1]
        fields = f"SFATAL\0VFATAL\0C28000\0Mhello {subject}\0\0".encode()
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@both_drivers
@pytest.mark.asyncio
class TestClientCertificate:
    """`sslcert` and `sslkey`."""

    async def test_is_shown_to_the_server(self, answer_of, tmp_path: Path) -> None:
        """The server reads the name in the client's own certificate."""
        ca = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        client = ca.issue_cert("client.example")
        client.private_key_pem.write_to_path(tmp_path / "key.pem")
        (tmp_path / "key.pem").chmod(0o600)
        client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        async with greeter(context) as port:
            url = PooledUrl.parse(
                f"postgresql://u@127.0.0.1:{port}/d?sslmode=require"
                f"&sslcert={tmp_path}/cert.pem&sslkey={tmp_path}/key.pem"
            )
            with pytest.raises(
                (asyncpg.PostgresError, psycopg.OperationalError), match=r"hello client\.example"
            ):
                await answer_of(url)
