from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from infra.doctor.checks import Status, warning
from infra.doctor.provider_api import ProviderApi, clock, token
from infra.errors import InfraError
from infra.local.ports import free_port
from tests.support.loopback_server import Handler, LoopbackServer


class Projects(Handler):
    """Answers with the status in the project's name, at the time that its server tells."""

    def do_GET(self):  # noqa: N802  as BaseHTTPRequestHandler has it
        self.send_response_only(int(self.path.rpartition("-")[2]))
        self.send_header("Date", formatdate(time.time() + self.server.ahead, usegmt=True))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def server():
    server = LoopbackServer(Projects)
    server.ahead = 0
    yield server
    server.stop()


def api(url, status):
    return ProviderApi("Neon", url, "hunter2", ("projects", f"a-b-{status}"), 5.0)


class TestToken:
    def test_is_good_when_it_may_see_the_project(self, server):
        """One question suffices."""
        assert token(api(server.url, 200)).status is Status.OK

    @pytest.mark.parametrize(
        ("status", "said"), [(401, "wrong"), (403, "may not see"), (404, "no such project")]
    )
    def test_fails_when_it_is_refused(self, server, status, said):
        """What the status means is said, and the token is not."""
        finding = token(api(server.url, status))
        assert finding.status is Status.FAILED
        assert said in finding.found
        assert "hunter2" not in repr(api(server.url, status)) + str(finding)

    def test_fails_where_nobody_answers(self):
        """Within the check's time, however long the client would try."""
        unreachable = ProviderApi("Neon", f"http://127.0.0.1:{free_port()}", "t", ("projects", "a"), 0.2)
        with pytest.raises(InfraError, match="cannot be reached"):
            token(unreachable)

    def test_is_what_is_known_without_asking(self):
        """A missing token needs no request."""
        known = warning("nothing runs", "start it")
        assert token(known) is known


class TestClock:
    @pytest.mark.parametrize(
        ("ahead", "status", "said"),
        [(0, Status.OK, ""), (30, Status.WARNING, "s behind Neon"), (-400, Status.FAILED, "s ahead of Neon")],
    )
    def test_is_compared_with_the_database_and_the_provider(self, direct, server, ahead, status, said):
        """The greater of both differences counts."""
        server.ahead = ahead
        finding = clock(direct, api(server.url, 200))
        assert finding.status is status
        assert "the database" in finding.found
        assert "Neon" in finding.found
        assert said in finding.found

    def test_needs_no_provider(self, direct):
        """Without one the database's tells enough."""
        assert clock(direct, warning("nothing runs", "start it")).found == "within 0.1 s of the database"
