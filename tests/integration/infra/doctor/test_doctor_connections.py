from __future__ import annotations

import pytest
import trustme

from api.database.connection_url import DirectUrl, PooledUrl
from infra.doctor import connections
from infra.doctor.checks import NotCheckedError, Status
from infra.doctor.target import Target
from infra.local.names import APPLICATION
from infra.local.pooler import Pooler, TlsFiles
from infra.local.ports import free_port
from tests.support.doctor import direct_target, pooled_target


@pytest.fixture
def own_pooler(cluster, application_password, tmp_path):
    """Start poolers of the test's own, with options."""
    poolers = []

    def start(**options):
        users = {APPLICATION: application_password}
        folder = tmp_path / f"pooler{len(poolers)}"
        poolers.append(Pooler.start(folder, postgres=cluster, users=users, pool_size=3, **options))
        return poolers[-1]

    yield start
    for pooler in poolers:
        pooler.remove()


@pytest.fixture
def tls_url(own_pooler, shared_database, application_password, tmp_path):
    """The URL of a pooler that demands TLS, with parameters; its certificate's issuer is `{ca}`."""
    ca, files = trustme.CA(), TlsFiles(tmp_path / "tls.pem", tmp_path / "tls.key")
    issued = ca.issue_cert("127.0.0.1")
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(files.key)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    url = own_pooler(tls=files).url(shared_database.name, APPLICATION, application_password)
    return lambda given: url.libpq().replace("sslmode=require", given.format(ca=tmp_path / "ca.pem"))


class TestReachable:
    def test_tells_version_and_time_without_the_password(self, pooled, application_password):
        """Both are there; the URL is masked."""
        finding = connections.reachable(pooled)
        assert finding.status is Status.OK
        assert "PostgreSQL 18" in finding.found
        assert f"{APPLICATION}:***@127.0.0.1" in finding.found
        assert application_password not in finding.found

    def test_fails_where_nothing_listens(self, shared_database):
        """A refused connection says what to start."""
        url = shared_database.direct.replace(port=free_port())
        finding = connections.reachable(direct_target(url))
        assert finding.status is Status.FAILED
        assert "Connection refused" in finding.found
        assert "bough up" in finding.fix

    def test_fails_with_a_wrong_password(self, shared_database):
        """What to do about it is said, and the password is not."""
        finding = connections.reachable(pooled_target(shared_database.pooled.replace(password="hunter2")))
        assert finding.status is Status.FAILED
        assert finding.fix == "take the connection string anew from the provider"
        assert "hunter2" not in str(finding)

    @pytest.mark.parametrize(
        ("kind", "text", "fix"),
        [
            (PooledUrl, None, "bough up"),
            (PooledUrl, "mysql://u:hunter2@h/d", ""),
            (
                DirectUrl,
                "postgresql://u:hunter2@ep-a-b-1-pooler.eu.aws.neon.tech/d",
                "ep-a-b-1.eu.aws.neon.tech",
            ),
        ],
    )
    def test_fails_without_a_usable_url(self, kind, text, fix):
        """A missing, broken or mistaken URL is told as what it is, without the password."""
        finding = connections.reachable(Target.read(kind, "DATABASE_URL", text))
        assert finding.status is Status.FAILED
        assert fix in finding.fix
        assert "hunter2" not in str(finding)


class TestEncrypted:
    def test_is_not_needed_on_this_machine(self, pooled):
        """Loopback leaves nothing to listen in on."""
        assert connections.encrypted(pooled).status is Status.OK

    def test_is_not_checked_without_a_connection(self, shared_database):
        """That there is none is another check's finding."""
        target = pooled_target(shared_database.pooled.replace(port=free_port()))
        with pytest.raises(NotCheckedError, match="cannot be connected to"):
            connections.encrypted(target)

    @pytest.mark.parametrize(
        ("parameters", "status", "said"),
        [
            ("sslmode=verify-full&sslrootcert={ca}", Status.OK, "verified"),
            ("sslmode=require&sslrootcert={ca}", Status.WARNING, "unchecked"),
            ("sslmode=require", Status.WARNING, "cannot be verified"),
        ],
    )
    def test_tells_whether_the_certificate_is_verified(self, tls_url, parameters, status, said):
        """Encryption alone does not tell who is at the other end."""
        finding = connections.encrypted(Target.read(PooledUrl, "DATABASE_URL", tls_url(parameters)))
        assert finding.status is status
        assert said in finding.found


class TestPoolerMode:
    def test_is_transaction_behind_the_pooler(self, pooled):
        """Two clients that share a server process prove it."""
        assert connections.pooled(pooled).status is Status.OK

    def test_is_seen_on_a_busy_pooler(self, world, shared_database):
        """With other clients coming and going, one client changes its process; that proves it too."""
        target = pooled_target(shared_database.pooled)
        with target.connected() as busy:
            busy.execute("BEGIN")
            assert connections.shares_server_processes(target)

    def test_of_a_session_pooler_is_not_taken_for_it(self, own_pooler, shared_database, application_password):
        """A pooler in session mode gives every client a process of its own."""
        pooler = own_pooler()
        pooler.console("SET pool_mode = 'session'")
        url = pooler.url(shared_database.name, APPLICATION, application_password)
        finding = connections.pooled(pooled_target(url))
        assert finding.status is Status.WARNING
        assert "process of its own" in finding.found

    def test_fails_for_a_pooled_url_in_the_direct_variable(self, shared_database):
        """Where no host name gives it away, the server processes do."""
        target = direct_target(shared_database.pooled)
        finding = connections.direct(target)
        assert finding.status is Status.FAILED
        assert "transaction-mode pooler" in finding.found

    def test_leaves_the_direct_url_alone(self, direct):
        """The server itself keeps its sessions apart."""
        assert connections.direct(direct).status is Status.OK
