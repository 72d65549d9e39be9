"""Faults between the adapter and the control plane: one branch, the right one, and a clear word about it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
import pytest

from infra.branches.errors import HistoryError
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import BranchSpec, DatabaseRole
from tests.support.neon_api import neon_api

#: Seconds for one try; what waits longer has lost its answer.
TRY = 1.0

REFUSED = {
    "busy": ({"kind": "answer", "status": 423}, "is busy with this project (423)"),
    "too many requests": ({"kind": "answer", "status": 429, "retry_after": "0"}, "(429)"),
    "unavailable": ({"kind": "answer", "status": 503}, "is unavailable (503)"),
}
LOST = {
    "request dropped": {"kind": "drop_before"},
    "answer dropped": {"kind": "drop_after"},
    "request late": {"kind": "wait_before", "seconds": TRY + 0.5},
    "answer late": {"kind": "wait_after", "seconds": TRY + 0.5},
}
RULES = {name: rule for name, (rule, _) in REFUSED.items()} | LOST
CREATE = {"method": "POST", "path": "/branches$"}
RESTORE = {"method": "POST", "path": "/restore$"}
DELETE = {"method": "DELETE", "path": "/branches/[^/]+$"}


def every(faults, quick=None):
    """Parameters, of which one is for `make test` and the others are for `make prove`."""
    return [
        pytest.param(fault, id=name, marks=() if name == quick else pytest.mark.prove)
        for name, fault in faults.items()
    ]


class Host:
    """A control plane with one project, whose default branch has one row."""

    def __init__(self, api):
        self.api = api
        self.project_id = api.new_project()
        self.names = (f"b{n}" for n in count())
        with self.provider() as provider, self.connected(provider, "main") as connection:
            connection.execute("CREATE TABLE fruit (name text)")
            connection.execute("INSERT INTO fruit VALUES ('apple')")

    @contextmanager
    def provider(self, said=None):
        """An adapter that does not wait long for one answer."""
        announce = (lambda _: None) if said is None else said.append
        with NeonProvider(
            self.project_id, self.api.api_key, base_url=self.api.base_url, announce=announce, deadline=60.0
        ) as provider:
            provider._http._try_timeout = TRY
            yield provider

    @contextmanager
    def connected(self, provider, branch, role=DatabaseRole.OWNER):
        url = provider.direct_url(branch, role)
        with psycopg.connect(url.libpq(), autocommit=True) as connection:
            yield connection

    def rows(self, provider, branch, role=DatabaseRole.OWNER):
        with self.connected(provider, branch, role) as connection:
            return connection.execute("SELECT name FROM fruit ORDER BY name").fetchall()

    def named(self, name):
        """Ids of the branches of this name, past the adapter."""
        found = self.api.call("GET", f"/projects/{self.project_id}/branches", limit=100)["branches"]
        return [each["id"] for each in found if each["name"] == name]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with neon_api(tmp_path_factory.mktemp("faults")) as api:
        yield Host(api)


@pytest.fixture
def said():
    return []


@pytest.fixture
def provider(host, said, monkeypatch):
    monkeypatch.setattr("infra.http._FIRST_WAIT", 0.01)
    with host.provider(said) as provider:
        yield provider


@pytest.fixture
def branch(host, provider, said):
    """A branch with a row of its own, deleted at the end."""
    made = provider.create(BranchSpec(next(host.names)))
    with host.connected(provider, made.id) as connection:
        connection.execute("INSERT INTO fruit VALUES ('banana')")
    said.clear()
    yield made
    provider.delete(made.id)


class TestCreate:
    @pytest.mark.parametrize("fault", every(REFUSED, quick="busy"))
    def test_is_tried_again_when_it_was_refused(self, host, provider, said, fault):
        """What was not begun is sent again, with one line for the wait."""
        rule, word = fault
        name = next(host.names)
        host.api.fault(**CREATE, **rule)
        made = provider.create(BranchSpec(name))
        assert host.named(name) == [made.id]
        assert host.rows(provider, made.id, DatabaseRole.APP) == [("apple",)]
        (line,) = said
        assert word in line
        assert "trying again in" in line
        provider.delete(made.id)

    @pytest.mark.parametrize("rule", every(LOST, quick="answer dropped"))
    def test_looks_before_it_tries_again_when_the_answer_is_lost(self, host, provider, said, rule):
        """Whether it was done is looked up, and said: never two branches, never none."""
        name = next(host.names)
        host.api.fault(**CREATE, **rule)
        made = provider.create(BranchSpec(name))
        assert host.named(name) == [made.id]
        assert host.rows(provider, made.id, DatabaseRole.APP) == [("apple",)]
        assert f"looking whether the branch {name!r} is there" in said[0]
        provider.delete(made.id)


class TestReset:
    @pytest.mark.parametrize("fault", every(REFUSED))
    def test_is_tried_again_when_it_was_refused(self, host, provider, branch, said, fault):
        """The branch stays the one it is, and is what its parent is."""
        rule, word = fault
        host.api.fault(**RESTORE, **rule)
        assert provider.reset(branch.name).id == branch.id
        assert host.named(branch.name) == [branch.id]
        assert host.rows(provider, branch.id) == [("apple",)]
        assert len(said) == 1
        assert word in said[0]

    @pytest.mark.parametrize("rule", every(LOST, quick="answer dropped"))
    def test_looks_before_it_tries_again_when_the_answer_is_lost(self, host, provider, branch, said, rule):
        """A reset that was begun is awaited."""
        host.api.fault(**RESTORE, **rule)
        assert provider.reset(branch.name).id == branch.id
        assert host.named(branch.name) == [branch.id]
        assert host.rows(provider, branch.id) == [("apple",)]
        assert f"looking whether {branch.name!r} was restored" in said[0]


@pytest.mark.prove
class TestRestore:
    @pytest.mark.parametrize("rule", every(RULES))
    def test_that_cannot_be_done_changes_nothing(self, host, provider, branch, said, rule):
        """The local control plane keeps no past: its refusal arrives, whatever was lost on the way."""
        host.api.fault(**RESTORE, **rule)
        with pytest.raises(HistoryError):
            provider.restore(branch.name, datetime.now(UTC) - timedelta(hours=1), preserve_as="kept")
        assert host.named(branch.name) == [branch.id]
        assert host.named("kept") == []
        assert host.rows(provider, branch.id) == [("apple",), ("banana",)]
        assert len(said) == 1


class TestDelete:
    @pytest.mark.parametrize("rule", every(RULES, quick="answer dropped"))
    def test_happens_once_and_to_that_branch_alone(self, host, provider, said, rule):
        """Deleting twice is deleting once, so it is simply sent again."""
        made = provider.create(BranchSpec(next(host.names)))
        others = [each.id for each in provider.list() if each.id != made.id]
        said.clear()
        host.api.fault(**DELETE, **rule)
        provider.delete(made.name)
        assert [each.id for each in provider.list()] == others
        assert len(said) == 1
        assert "trying again in" in said[0]


@pytest.mark.prove
class TestKill:
    """The control plane is killed with -9 while it works, and started again."""

    @contextmanager
    def killed_after(self, host, method, path):
        """Kill it once a request was answered, and start it again at once."""
        seen = len(host.api.proxy.exchanges)

        def kill():
            deadline = time.monotonic() + 30
            while not any(
                each.method == method and each.path.endswith(path) for each in host.api.proxy.exchanges[seen:]
            ):
                assert time.monotonic() < deadline
                time.sleep(0.002)
            host.api.kill()
            host.api.start()

        killer = threading.Thread(target=kill)
        killer.start()
        yield
        killer.join(60)
        assert not killer.is_alive()

    def test_create_ends_with_one_branch(self, host, provider):
        """What was begun is gone on with, and awaited by who asked for it."""
        name = next(host.names)
        with self.killed_after(host, "POST", "/branches"):
            made = provider.create(BranchSpec(name))
        assert host.named(name) == [made.id]
        assert host.rows(provider, made.id, DatabaseRole.APP) == [("apple",)]
        provider.delete(made.id)

    def test_reset_ends_with_the_parent_s_data(self, host, provider, branch):
        """A copy that was cut short is made anew."""
        with self.killed_after(host, "POST", "/restore"):
            assert provider.reset(branch.name).id == branch.id
        assert host.named(branch.name) == [branch.id]
        assert host.rows(provider, branch.id) == [("apple",)]

    def test_restore_changes_nothing(self, host, provider, branch):
        """Its refusal arrived before the kill; the branch answers after it."""
        with self.killed_after(host, "POST", "/restore"), pytest.raises(HistoryError):
            provider.restore(branch.name, datetime.now(UTC) - timedelta(hours=1), preserve_as="kept")
        assert host.rows(provider, branch.id) == [("apple",), ("banana",)]

    def test_delete_ends_with_the_branch_gone(self, host, provider):
        """And nothing else is."""
        made = provider.create(BranchSpec(next(host.names)))
        with self.killed_after(host, "DELETE", made.id):
            provider.delete(made.name)
        assert host.named(made.name) == []
        assert [each.name for each in provider.list()] == ["main"]


@pytest.mark.prove
class TestManyAtOnce:
    def test_fifty_who_ask_for_one_name_get_one_branch(self, host, monkeypatch):
        """Fifty equal answers, from clients of their own; its application role lets all of them in."""
        name = next(host.names)

        def create(_):
            with host.provider() as provider:
                provider._http._try_timeout = 30.0
                return provider.create(BranchSpec(name))

        with ThreadPoolExecutor(50) as pool:
            answers = Counter(pool.map(create, range(50)))
        ((made, times),) = answers.items()
        assert times == 50
        assert host.named(name) == [made.id]
        with host.provider() as provider:
            assert host.rows(provider, made.id, DatabaseRole.APP) == [("apple",)]
            provider.delete(made.id)
