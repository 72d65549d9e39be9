"""Hosts of branches: real databases behind each adapter, and a scripted Neon for what cannot be provoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.branches.neon import api as neon_requests
from infra.branches.neon import creation, restore
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import BranchSpec
from tests.support.branch_hosts import neon_host, supabase_host
from tests.support.scripted_api import ScriptedApi
from tests.support.scripted_neon import PROJECT, ScriptedNeon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.branches.provider import Branch
    from tests.support.branch_hosts import BranchHost, NeonHost, SupabaseHost
    from tests.support.supabase_project import StubProject


@pytest.fixture
def neon():
    """The script."""
    return ScriptedNeon()


@pytest.fixture
def api(neon):
    """The server that follows it."""
    server = ScriptedApi(neon)
    yield server
    server.stop()


@pytest.fixture
def said():
    """What was announced."""
    return []


@pytest.fixture
def provider(api, said, monkeypatch):
    """The adapter on that server, quick, not connecting to any database."""
    monkeypatch.setattr("infra.http._FIRST_WAIT", 0.01)
    monkeypatch.setattr(neon_requests, "_FIRST_POLL", 0.01)
    monkeypatch.setattr(creation, "_PAUSE", 0.01)
    monkeypatch.setattr(restore, "_PAUSE", 0.01)
    monkeypatch.setattr("infra.branches.provisioning.provision", lambda *_, **__: None)
    with NeonProvider(PROJECT, "key", base_url=api.url, announce=said.append, deadline=3.0) as provider:
        yield provider


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseHost]:
    """A Supabase project whose production has the table `note` with a row."""
    with supabase_host(tmp_path_factory.mktemp("supabase")) as host:
        host.migrate("CREATE TABLE note (id int PRIMARY KEY, body text)")
        host.stub.production.execute("INSERT INTO note VALUES (1, 'production')")
        yield host


@pytest.fixture(scope="session")
def feature(supabase: SupabaseHost) -> Branch:
    """A branch there without data, which tests leave as it is."""
    with supabase.provider() as provider:
        return provider.create(BranchSpec("feature", with_data=False))


@pytest.fixture
def project(supabase: SupabaseHost, feature: Branch) -> Iterator[StubProject]:
    """The branch's project, which tests may let say what is not so."""
    project = supabase.stub.projects[feature.id]
    yield project
    project.status = "ACTIVE_HEALTHY"
    project.pooler_changes.clear()
    project.detail_changes.clear()


@pytest.fixture(scope="session")
def local_neon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NeonHost]:
    """A project at a control plane, whose default branch has the table `note` with a row."""
    with neon_host(tmp_path_factory.mktemp("neon")) as host:
        host.migrate("CREATE TABLE note (id int PRIMARY KEY, body text)")
        host.migrate("INSERT INTO note VALUES (1, 'production')")
        yield host


@pytest.fixture(scope="session", params=["supabase", "local_neon"])
def host(request: pytest.FixtureRequest) -> BranchHost:
    """Each provider in turn, with the same project."""
    found: BranchHost = request.getfixturevalue(request.param)
    return found
