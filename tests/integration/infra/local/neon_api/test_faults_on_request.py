"""Faults that tests ask for: met as often as asked for, before or after the work."""

from __future__ import annotations

import httpx2
import pytest


class TestFaults:
    def test_asked_for_status_is_answered_and_nothing_done(self, api, project):
        """As often as asked for, with `Retry-After` where given."""
        api.fault(method="POST", path="/branches$", kind="answer", status=429, retry_after="2", times=2)
        for _ in range(2):
            answer = api.client.post(f"{project.lstrip('/')}/branches", json={"branch": {"name": "limited"}})
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert api.call("GET", f"{project}/branches/count", search="limited") == {"count": 0}

    @pytest.mark.parametrize(("kind", "count"), [("drop_before", 0), ("drop_after", 1)])
    def test_connection_is_dropped_before_or_after_the_work(self, api, project, kind, count):
        """The client cannot tell which; only a look can."""
        api.fault(method="POST", path="/branches$", kind=kind)
        with pytest.raises(httpx2.RemoteProtocolError):
            api.call("POST", f"{project}/branches", {"branch": {"name": kind}})
        assert api.call("GET", f"{project}/branches/count", search=kind) == {"count": count}

    @pytest.mark.parametrize(("kind", "count"), [("wait_before", 0), ("wait_after", 1)])
    def test_work_or_its_answer_waits(self, api, project, kind, count):
        """A client that gives up meanwhile finds it not yet done, or done."""
        api.fault(method="POST", path="/branches$", kind=kind, seconds=0.4)
        with pytest.raises(httpx2.ReadTimeout):
            api.client.post(f"{project.lstrip('/')}/branches", json={"branch": {"name": kind}}, timeout=0.2)
        assert api.call("GET", f"{project}/branches/count", search=kind) == {"count": count}

    def test_wrong_rule_is_refused(self, api):
        """A rule that could never be met says so at once."""
        url = api.base_url.removesuffix("/api/v2") + "/faults"
        assert api.client.post(url, json={"method": "GET", "path": "(", "kind": "answer"}).status_code == 400
