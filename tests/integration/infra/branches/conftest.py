"""A scripted Neon, and the adapter on it."""

from __future__ import annotations

import pytest

from infra.branches import neon_api, neon_creation
from infra.branches.neon import NeonProvider
from tests.support.scripted_api import ScriptedApi
from tests.support.scripted_neon import PROJECT, ScriptedNeon


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
    monkeypatch.setattr(neon_api, "_FIRST_POLL", 0.01)
    monkeypatch.setattr(neon_creation, "_PAUSE", 0.01)
    monkeypatch.setattr("infra.branches.neon.provisioning.provision", lambda *_, **__: None)
    with NeonProvider(PROJECT, "key", base_url=api.url, announce=said.append, deadline=3.0) as provider:
        yield provider
