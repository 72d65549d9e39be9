"""Hosts of branches for the tests that every provider must pass, each with what it does differently."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import DatabaseRole
from infra.branches.supabase.provider import SupabaseProvider
from infra.branches.supabase.urls import Hosting
from tests.support.neon_api import NeonApi, neon_api
from tests.support.published_schema import published_schema
from tests.support.recording_proxy import RecordingProxy
from tests.support.scripted_api import DROP, Reply
from tests.support.supabase_stub import APPLICATION, TOKEN, SupabaseStub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.branches.provider import BranchProvider


class BranchHost(Protocol):
    """A project at a provider, and what tests do to it behind the adapter's back.

    Attributes:
        name: The provider's.
        secrets: What must never show.
        copies_quickly: Whether a branch with data is made quicker than one without.
        resets_to_data: Whether a reset brings the parent's rows.
        expires: Whether the provider deletes branches at a time.
    """

    name: str
    secrets: list[str]
    copies_quickly: bool
    resets_to_data: bool
    expires: bool

    @property
    def asked(self) -> list[str]:
        """Method and path of every request until now."""

    def provider(
        self, announce: Callable[[str], None] | None = None, *, token: str | None = None
    ) -> BranchProvider:
        """Return an adapter, with another token than the right one where it is given."""

    def migrate(self, statement: str) -> None:
        """Run a migration on the default branch as the provider's users do."""

    def lose_answer(self) -> None:
        """Carry out the next request that makes a branch, and drop its answer."""

    def lose_request(self) -> None:
        """Drop the next request that makes a branch before anything is done."""

    def turn_away(self) -> None:
        """Refuse the next list of branches: there were too many requests."""


class SupabaseHost:
    """The adapter for Supabase over the stub."""

    name = "supabase"
    copies_quickly = False
    resets_to_data = False
    expires = False

    def __init__(self, stub: SupabaseStub, proxy: RecordingProxy) -> None:
        """Adapters send through the proxy."""
        self.stub = stub
        self.proxy = proxy

    @property
    def secrets(self) -> list[str]:
        return [
            TOKEN,
            *(project.database.password for project in self.stub.projects.values() if project.database),
        ]

    @property
    def asked(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.proxy.exchanges]

    def provider(
        self,
        announce: Callable[[str], None] | None = None,
        *,
        token: str | None = None,
        owner_password: str | None = None,
        deadline: float = 30.0,
    ) -> SupabaseProvider:
        return SupabaseProvider(
            self.stub.ref,
            token or TOKEN,
            announce=announce or (lambda _: None),
            application_role=APPLICATION,
            base_url=self.proxy.url,
            hosting=Hosting(("127.0.0.1", "fe80::1"), self.stub.sessions.port),
            owner_password=owner_password,
            deadline=deadline,
            poll=0.02,
        )

    def migrate(self, statement: str) -> None:
        self.stub.migrate(statement)

    def lose_answer(self) -> None:
        self.stub.fail("POST .*/branches", DROP, after_work=True)

    def lose_request(self) -> None:
        self.stub.fail("POST .*/branches", DROP)

    def refuse_persistent(self) -> str:
        """Refuse the next deletion as Supabase does a persistent branch's; return what it says."""
        said = "Cannot delete persistent branch."
        self.stub.fail("DELETE .*", Reply(422, {"message": said}))
        return said

    def turn_away(self) -> None:
        self.stub.fail("GET .*/branches", Reply(429, {"message": "later"}, {"Retry-After": "0"}))


@contextmanager
def supabase_host(folder: Path) -> Iterator[SupabaseHost]:
    """Run the stub; what goes over the wire is held to Supabase's document, where that is at hand."""
    with SupabaseStub(folder) as stub:
        proxy = RecordingProxy(stub.url, published_schema("supabase"))
        try:
            yield SupabaseHost(stub, proxy)
        finally:
            proxy.stop()


class NeonHost:
    """The adapter for Neon over a control plane with one project."""

    name = "neon"
    copies_quickly = True
    resets_to_data = True
    expires = True

    def __init__(self, plane: NeonApi) -> None:
        """Adapters send through the control plane's own proxy."""
        self.plane = plane
        self.project_id = plane.new_project()

    @property
    def secrets(self) -> list[str]:
        with self.provider() as provider:
            urls = [provider.direct_url("main", role).libpq() for role in DatabaseRole]
        return [self.plane.api_key, *(str(conninfo_to_dict(url)["password"]) for url in urls)]

    @property
    def asked(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.plane.proxy.exchanges]

    def provider(
        self, announce: Callable[[str], None] | None = None, *, token: str | None = None
    ) -> NeonProvider:
        return NeonProvider(
            self.project_id,
            token or self.plane.api_key,
            announce=announce or (lambda _: None),
            base_url=self.plane.base_url,
            deadline=60.0,
        )

    def migrate(self, statement: str) -> None:
        with self.provider() as provider:
            url = provider.direct_url("main", DatabaseRole.OWNER)
        with psycopg.connect(url.libpq()) as connection:
            connection.execute(statement)

    def lose_answer(self) -> None:
        self.plane.fault(method="POST", path="/branches$", kind="drop_after")

    def lose_request(self) -> None:
        self.plane.fault(method="POST", path="/branches$", kind="drop_before")

    def turn_away(self) -> None:
        self.plane.fault(method="GET", path="/branches$", kind="answer", status=429, retry_after="0")


@contextmanager
def neon_host(folder: Path) -> Iterator[NeonHost]:
    """Run a control plane; what goes over the wire is held to Neon's document, where that is at hand."""
    with neon_api(folder) as plane:
        yield NeonHost(plane)
