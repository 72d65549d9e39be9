"""Branches on Supabase: each is a project of its own, and its id is that project's reference.

Its parent is always the default branch. Made without data, it has what `supabase/migrations` make and
nothing else; a reset takes it back to that, data or not.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from infra.branches import guards, identity, lookup, provisioning
from infra.branches.errors import (
    BranchNotFoundError,
    NotSupportedError,
    ProviderAuthError,
    ProviderUnavailableError,
)
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.branches.schema_dump import compare, owned_schemas_sql
from infra.branches.supabase.api import SupabaseApi
from infra.branches.supabase.creation import found_or_made, no_expiry, refuse_unsupported
from infra.branches.supabase.history import refuse_unkept
from infra.branches.supabase.progress import SupabaseProgress
from infra.branches.supabase.urls import Hosting, SupabaseUrls
from infra.branches.timestamps import checked_past
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.http import HttpClient
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from api.database.connection_url import DirectUrl, PooledUrl
    from infra.branches.provider import Branch, BranchSpec
    from infra.branches.supabase.answers import SupabaseBranch

BASE_URL: Final = "https://api.supabase.com"

#: By its document Supabase says nothing of other refusals.
_REFUSALS: Final = frozenset({429})
#: Seconds. The answer to a create may take most of a minute.
_TRY_TIMEOUT: Final = 90.0


class SupabaseProvider:
    """The branches of one Supabase project; see `BranchProvider`. Threads may share it.

    `close` it, or use it in `with`.
    """

    def __init__(
        self,
        project_ref: str,
        token: str,
        *,
        announce: Callable[[str], None],
        base_url: str = BASE_URL,
        application_role: str = "bough_app",
        owner_password: str | None = None,
        hosting: Hosting | None = None,
        deadline: float = 900.0,
        poll: float = 5.0,
    ) -> None:
        """Send nothing yet.

        Args:
            project_ref: The project's reference: 20 letters.
            token: A personal or fine-grained access token.
            announce: Is told of every wait and of what may surprise, in one sentence.
            base_url: Of the Management API.
            application_role: What requests log in as.
            owner_password: For branches whose password the API does not tell.
            hosting: Where databases may be.
            deadline: Seconds for each method.
            poll: Seconds between two looks at what Supabase does, which are two requests each.

        Raises:
            ProviderAuthError: The token is empty.
            ProjectNotFoundError: This cannot be a project's reference.
            HttpConfigurationError: The address or the token cannot be used.
        """
        if not token:
            raise ProviderAuthError("there is no token for Supabase", hint="set SUPABASE_ACCESS_TOKEN")
        self._project_ref = project_ref
        self._announce = announce
        self._application_role = application_role
        self._deadline = deadline
        self._poll = poll
        self._urls = SupabaseUrls(
            project_ref,
            application_role=application_role,
            owner_password=owner_password,
            hosting=hosting or Hosting(),
            announce=announce,
        )
        self._http = HttpClient(
            base_url,
            token,
            service="Supabase",
            announce=announce,
            try_timeout=_TRY_TIMEOUT,
            refusals=_REFUSALS,
        )
        self._api()

    def __enter__(self) -> Self:
        """Return the provider."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the provider."""
        self.close()

    def close(self) -> None:
        """Close the connections to Supabase's API."""
        self._http.close()

    @property
    def project_id(self) -> str:
        """The project's reference."""
        return self._project_ref

    def create(self, spec: BranchSpec) -> Branch:
        """Return the branch of this name, made unless it exists; ready, with its application role."""
        lookup.checked_name(spec.name)
        refuse_unsupported(spec)
        api = self._api()
        branch = found_or_made(api, spec, announce=self._announce, poll=self._poll)
        return self._usable(api, branch)

    def get(self, branch: str) -> Branch:
        """Return a branch."""
        return self._in_our_words(self._find(self._api(), branch))

    def list(self) -> Sequence[Branch]:
        """Return all branches, oldest first."""
        return [self._in_our_words(branch) for branch in self._api().branches()]

    def reset(self, branch: str) -> Branch:
        """Run the migrations that Supabase knows on an emptied database; URLs stay.

        Raises:
            NotSupportedError: It is the default branch, which has no parent.
            BranchProtectedError: It is persistent.
        """
        api = self._api()
        found = self._find(api, branch)
        if found.is_default:
            raise NotSupportedError(
                f"the branch {found.name!r} has no parent to be reset to", hint="it is the default branch"
            )
        guards.refuse_protected(self._in_our_words(found), "be reset")
        self._announce(
            f"Supabase empties {found.name} and runs supabase/migrations on it: run yours afterwards"
        )
        try:
            run_id = api.reset_branch(found.id)
        except HttpAmbiguousError as error:
            raise ProviderUnavailableError(
                str(error), hint="run it again: twice is as good as once"
            ) from error
        self._progress(api, found).finished_run(run_id)
        return self._usable(api, found)

    def restore(self, branch: str, at: datetime, *, preserve_as: str | None = None) -> Branch:
        """Take the branch back to a second of its own past, which takes the PITR add-on.

        Raises:
            BranchProtectedError: It is persistent, and not the default branch.
            HistoryError: The project keeps nothing of that moment.
            NotSupportedError: Its present was to be kept.
        """
        if preserve_as is not None:
            raise NotSupportedError(
                "Supabase cannot keep a branch's present when it is restored",
                hint="dump it with pg_dump first, and restore without a name to keep it under",
            )
        at = checked_past(at)
        api = self._api()
        found = self._find(api, branch)
        if not found.is_default:
            guards.refuse_protected(self._in_our_words(found), "be restored")
        refuse_unkept(api.backups(found.id), found.name, at)
        progress = self._progress(api, found)
        try:
            api.restore_branch(found.id, at)
        except HttpAmbiguousError as error:
            raise ProviderUnavailableError(str(error), hint="look at its state, then run it again") from error
        progress.begun()
        return self._usable(api, found)

    def set_expiry(self, branch: str, at: datetime | None) -> Branch:
        """Let the branch live on; Supabase deletes none at a time.

        Raises:
            NotSupportedError: A time was given.
        """
        lookup.required(branch)
        if at is not None:
            raise no_expiry()
        api = self._api()
        found = self._find(api, branch)
        if found.deletion_scheduled_at is not None:
            api.keep_branch(found.id)
            found = self._find(api, branch)
        return self._in_our_words(found)

    def protect(self, branch: str, *, on: bool) -> Branch:
        """Let the branch be persistent, or no longer; the default branch stays it."""
        api = self._api()
        found = self._find(api, branch)
        if not on:
            guards.refuse_default(self._in_our_words(found), "be left unprotected")
        if found.persistent is not on:
            found = api.protect_branch(found.id, on=on)
        return self._in_our_words(found)

    def delete(self, branch: str) -> None:
        """Delete a branch at once; nothing happens when it is gone already.

        Raises:
            BranchProtectedError: It is the default branch, or persistent.
        """
        wanted = lookup.required(branch)
        api = self._api()
        found = lookup.find(api.branches(), wanted)
        if found is None:
            return
        guards.refuse_default(self._in_our_words(found), "be deleted")
        guards.refuse_protected(self._in_our_words(found), "be deleted")
        # Gone by somebody else's request, or by one of ours whose answer was lost.
        with suppress(BranchNotFoundError):
            api.delete_branch(found.id)
        self._progress(api, found).gone()

    def direct_url(self, branch: str, role: DatabaseRole) -> DirectUrl:
        """Return the direct connection string, or the session pooler's where the network has no IPv6."""
        api = self._api()
        return self._urls.direct(api, api.detail(self._find(api, branch).id), role)

    def pooled_url(self, branch: str, role: DatabaseRole) -> PooledUrl:
        """Return the connection string through the transaction pooler."""
        api = self._api()
        return self._urls.pooled(api, api.detail(self._find(api, branch).id), role)

    def schema(self, branch: str) -> str:
        """Return as SQL what the owner made: Supabase's own schemas are left out."""
        return owned_schemas_sql(self.direct_url(branch, DatabaseRole.OWNER))

    def diff(self, base: str, branch: str) -> str:
        """Return how the schema of `branch` differs from that of `base`."""
        base, branch = lookup.required(base), lookup.required(branch)
        return compare(self.schema(base), self.schema(branch), names=(base, branch))

    def _api(self) -> SupabaseApi:
        return SupabaseApi(self._http, self._project_ref, Deadline(self._deadline))

    def _find(self, api: SupabaseApi, branch: str) -> SupabaseBranch:
        lookup.required(branch)
        return lookup.get(api.branches(), branch)

    def _progress(self, api: SupabaseApi, branch: SupabaseBranch) -> SupabaseProgress:
        return SupabaseProgress(
            api, name=branch.name, ref=branch.id, announce=self._announce, poll=self._poll
        )

    def _in_our_words(self, branch: SupabaseBranch) -> Branch:
        return branch.to_branch(self._project_ref)

    def _usable(self, api: SupabaseApi, branch: SupabaseBranch) -> Branch:
        """Return the branch once Supabase is done with it and both roles can log in both ways."""
        detail = self._progress(api, branch).finished()
        found = self._in_our_words(branch.model_copy(update={"preview_project_status": detail.status}))
        provisioning.provision(
            self._urls.of_branch(api, detail),
            application=self._application_role,
            deadline=api.deadline,
            announce=self._announce,
            # Supabase's servers do not say which branch they are; here the API has just said it.
            mark=partial(identity.mark, identity=BranchIdentity.of(ProviderName.SUPABASE, found)),
        )
        return found
