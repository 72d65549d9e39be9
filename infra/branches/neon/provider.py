"""Branches at Neon, and on this machine: the local control plane speaks the same API."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from api.database.connection_url import DirectUrl, PooledUrl
from infra.branches import guards, identity, lookup, provisioning, schema_dump
from infra.branches.errors import BranchError, NotSupportedError, ProviderAuthError
from infra.branches.identity import BranchIdentity
from infra.branches.neon.access import NeonAccess
from infra.branches.neon.api import NeonApi
from infra.branches.neon.creation import found_or_made
from infra.branches.neon.restore import restore
from infra.branches.timestamps import checked_expiry, checked_past, rfc3339
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.branches.neon.answers import NeonBranch
    from infra.branches.provider import Branch, BranchSpec, DatabaseRole

BASE_URL: Final = "https://console.neon.tech/api/v2"
#: Seconds for one method, waits included: a copy of a large local branch takes the longest.
_DEADLINE: Final = 300.0


class NeonProvider:
    """The branches of one Neon project; see `BranchProvider`. Threads may share it.

    `close` it, or use it in `with`.
    """

    def __init__(
        self,
        project_id: str,
        token: str,
        *,
        announce: Callable[[str], None],
        base_url: str = BASE_URL,
        database: str | None = None,
        owner_role: str | None = None,
        application_role: str = "bough_app",
        deadline: float = _DEADLINE,
        try_timeout: float = 30.0,
    ) -> None:
        """Send nothing yet.

        Args:
            project_id: As Neon's console shows it.
            token: An API key that may act on the project.
            announce: Is told of every wait, in one sentence.
            base_url: Of the API: Neon's, or a local control plane's.
            database: Without one, the only one of each branch.
            owner_role: Without one, the database's owner.
            application_role: What requests log in as.
            deadline: Seconds for one method with all its waits.
            try_timeout: Seconds until the answer to a request counts as lost.

        Raises:
            ProviderAuthError: The token is empty.
            ProjectNotFoundError: This cannot be a project's id.
            HttpConfigurationError: The address or the token cannot be used.
        """
        if not token:
            raise ProviderAuthError("there is no API key for Neon", hint="set NEON_API_KEY")
        # Plain HTTP is taken on loopback alone.
        service = "the local control plane" if base_url.startswith("http://") else "Neon"
        self._http = HttpClient(base_url, token, service=service, announce=announce, try_timeout=try_timeout)
        self._project_id = project_id
        self._announce = announce
        self._access = NeonAccess(database, owner_role, application_role)
        self._deadline = deadline
        self._api()

    def __enter__(self) -> Self:
        """Return the provider."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the provider."""
        self.close()

    def close(self) -> None:
        """Close the connections to Neon's API."""
        self._http.close()

    @property
    def project_id(self) -> str:
        """The project that all methods act on."""
        return self._project_id

    def create(self, spec: BranchSpec) -> Branch:
        """Return the branch of this name, made unless it exists; ready, with its application role."""
        api = self._api()
        return self._provisioned(api, found_or_made(api, spec, self._announce))

    def get(self, branch: str) -> Branch:
        """Return a branch."""
        return _find(self._api(), branch)[0].to_branch()

    def list(self) -> Sequence[Branch]:
        """Return all branches, oldest first."""
        return _in_our_words(self._api().branches())

    def reset(self, branch: str) -> Branch:
        """Make the branch what its parent is now. Its own changes are lost, its URLs stay.

        Raises:
            NotSupportedError: It has no parent.
            BranchProtectedError: It is protected, or the parent of others.
        """
        api = self._api()
        found, branches = _find(api, branch)
        if not found.parent_id:
            raise NotSupportedError(
                f"the branch {found.name!r} has no parent to be reset to",
                hint=f"restore it to a moment of its own past: bough branch restore {found.name} --at TIME",
            )
        guards.refuse_protected(found.to_branch(), "be reset")
        guards.refuse_parent(found.to_branch(), _in_our_words(branches), "be reset")
        return self._restored(api, found, found.parent_id, {})

    def restore(self, branch: str, at: datetime, *, preserve_as: str | None = None) -> Branch:
        """Take the branch back to a moment of its own past.

        Neon always keeps the present as another branch, the new parent of the branch's children:
        without `preserve_as` under the branch's name with the time of the restore. That one has no
        compute, so nobody can log in to it. Its application role still has the password from before the
        restore: once it is given a compute, `provision` it.
        """
        at = checked_past(at)
        if preserve_as is not None:
            preserve_as = lookup.checked_name(preserve_as)
        api = self._api()
        found, branches = _find(api, branch)
        guards.refuse_protected(found.to_branch(), "be restored")
        if preserve_as is None:
            preserve_as = f"{found.name[:200]}-before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        guards.refuse_taken(preserve_as, _in_our_words(branches))
        restored = self._restored(
            api,
            found,
            found.id,
            {"source_timestamp": rfc3339(at), "preserve_under_name": preserve_as},
        )
        self._announce(f"what {found.name!r} was until now is kept as the branch {preserve_as!r}")
        return restored

    def set_expiry(self, branch: str, at: datetime | None) -> Branch:
        """Let the provider delete the branch at a time, or never."""
        if at is not None:
            at = checked_expiry(at)
        api = self._api()
        found, branches = _find(api, branch)
        if at is not None:
            _refuse_to_end(found, branches, "expire")
        changed = _updated(api, found, {"expires_at": None if at is None else rfc3339(at)})
        _refuse_ignored(changed, is_done=changed.expires_at == at, what="time of its expiry")
        return changed

    def protect(self, branch: str, *, on: bool) -> Branch:
        """Protect a branch from deletion and reset, or no longer."""
        api = self._api()
        found, _ = _find(api, branch)
        if on and found.expires_at is not None:
            raise BranchError(
                f"the branch {found.name!r} expires at {rfc3339(found.expires_at)}, and cannot be protected",
                hint=f"first run: bough branch expire {found.name} never",
            )
        if found.protected is on:
            return found.to_branch()
        changed = _updated(api, found, {"protected": on})
        _refuse_ignored(changed, is_done=changed.is_protected is on, what="protection")
        return changed

    def delete(self, branch: str) -> None:
        """Delete a branch; nothing happens when it is gone already. Neon keeps it for 7 days."""
        wanted = lookup.required(branch)
        api = self._api()
        branches = api.branches()
        found = lookup.find(branches, wanted)
        if found is None:
            return
        _refuse_to_end(found, branches, "be deleted")
        api.finish(api.delete_branch(found.id))

    def direct_url(self, branch: str, role: DatabaseRole) -> DirectUrl:
        """Return the direct connection string, **with the password**."""
        api = self._api()
        return self._access.url(api, _find(api, branch)[0].id, DirectUrl, role)

    def pooled_url(self, branch: str, role: DatabaseRole) -> PooledUrl:
        """Return the connection string through the pooler, **with the password**."""
        api = self._api()
        return self._access.url(api, _find(api, branch)[0].id, PooledUrl, role)

    def schema(self, branch: str) -> str:
        """Return the branch's schema as SQL, without the kit's own tables."""
        api = self._api()
        return self._schema(api, _find(api, branch)[0])

    def diff(self, base: str, branch: str) -> str:
        """Return how the schema of `branch` differs from that of `base`: a unified diff, empty when equal."""
        base = lookup.required(base)
        api = self._api()
        found, branches = _find(api, branch)
        compared = [lookup.get(branches, base), found]
        old, new = (self._schema(api, each) for each in compared)
        return schema_dump.compare(old, new, names=(compared[0].name, compared[1].name))

    def provision(self, branch: str) -> Branch:
        """Return a branch, ready, with its application role: also one that other tools have made."""
        api = self._api()
        return self._provisioned(api, _find(api, branch)[0])

    def _api(self) -> NeonApi:
        """Return the API for the requests of one method, whose time begins now."""
        return NeonApi(self._http, self._project_id, Deadline(self._deadline))

    def _restored(
        self, api: NeonApi, found: NeonBranch, source_id: str, options: dict[str, object]
    ) -> Branch:
        branch = restore(api, found, source_id, options, self._announce)
        # The data came with the application role, and the password, of wherever it is from.
        return self._provisioned(api, branch)

    def _provisioned(self, api: NeonApi, found: NeonBranch) -> Branch:
        branch = found.to_branch()
        provisioning.provision(
            self._access.urls(api, branch.id),
            application=self._access.application_role,
            deadline=api.deadline,
            announce=self._announce,
            # A connection string for another branch would have that one's password changed.
            prove=partial(identity.verify, expected=BranchIdentity.of(ProviderName.NEON, branch)),
        )
        return branch

    def _schema(self, api: NeonApi, branch: NeonBranch) -> str:
        dump = api.schema(branch.id, self._access.database_of(api, branch.id))
        return schema_dump.without_noise(schema_dump.without_own_tables(dump))


def _find(api: NeonApi, branch: str) -> tuple[NeonBranch, Sequence[NeonBranch]]:
    """Return the branch with this id or name, and all."""
    wanted = lookup.required(branch)
    branches = api.branches()
    return lookup.get(branches, wanted), branches


def _in_our_words(branches: Sequence[NeonBranch]) -> Sequence[Branch]:
    return [branch.to_branch() for branch in branches]


def _refuse_to_end(found: NeonBranch, branches: Sequence[NeonBranch], what: str) -> None:
    branch = found.to_branch()
    guards.refuse_default(branch, what)
    guards.refuse_protected(branch, what)
    guards.refuse_parent(branch, _in_our_words(branches), what)


def _updated(api: NeonApi, branch: NeonBranch, changes: dict[str, object]) -> Branch:
    answer = api.update_branch(branch.id, changes)
    api.finish(answer.operations)
    return answer.branch.to_branch()


def _refuse_ignored(branch: Branch, *, is_done: bool, what: str) -> None:
    """Refuse to call a change done that Neon has left out: a plan without a feature may do so in silence."""
    if not is_done:
        message = f"Neon took the request and left the branch {branch.name!r} with its old {what}"
        raise BranchError(message, hint="does the project's plan have it?")
