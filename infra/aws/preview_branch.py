"""The database branch of a preview: made, found fit for the code, or made anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infra.branches.errors import BranchDiffersError, NotSupportedError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import BranchSpec, DatabaseRole
from infra.migrate.settled import is_settled, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.branches.provider import Branch, BranchProvider
    from infra.config import Project
    from infra.context import ProviderName

#: A branch lives at least for this part of the time that it was given, and is not renewed before.
_WORN = 2


@dataclass(frozen=True, slots=True)
class PreviewBranch:
    """The branch of one preview.

    Args:
        project: Whose revisions.
        provider: Of the branches.
        host: Who that is.
        parent: What it is made from.
        name: Its own.
        with_data: The parent's rows too, or only its tables.
        lifetime: After which the provider deletes it; `None` for never.
        announce: Is told what may surprise.
    """

    project: Project
    provider: BranchProvider
    host: ProviderName
    parent: Branch
    name: str
    with_data: bool
    lifetime: timedelta | None
    announce: Callable[[str], None] = field(repr=False)

    def ensure(self, found: Branch | None) -> tuple[Branch, str | None]:
        """Return the branch, ready, and what was done, if anything.

        One whose schema cannot become the code's any more is deleted and made again.

        Args:
            found: The branch of this name, if there is one.

        Raises:
            BranchDiffersError: It was made with data and shall have none, or the reverse.
            BranchError, MigrationError: It cannot be made or read.
        """
        if found is None:
            return self._make(), "made"
        branch, what = self._kept(found)
        identity = BranchIdentity.of(self.host, branch)
        url = self.provider.direct_url(branch.id, DatabaseRole.OWNER)
        if is_settled(self.project, url, identity):
            return branch, what
        from infra.migrate import branch_history  # noqa: PLC0415  Alembic takes longer than all the rest

        if (why := branch_history.strayed(self.project, url, identity)) is None:
            return branch, what
        self.announce(f"The branch {self.name} is deleted and made again: {why}")
        self.provider.delete(branch.id)
        return self._make(), f"made again: {why}"

    def migrate(self, branch: Branch) -> str | None:
        """Apply every revision that it lacks, contracts too: no code depends on it; return which.

        Raises:
            MigrationError: Those before the one that failed stay applied.
        """
        url = self.provider.direct_url(branch.id, DatabaseRole.OWNER)
        identity = BranchIdentity.of(self.host, branch)
        if is_settled(self.project, url, identity):
            return None
        from infra.migrate import branch_history, runner  # noqa: PLC0415  as above

        done = runner.apply(self.project, url, expected=identity, unused=True)
        ids = [run.id for run in done.runs]
        branch_history.remember(self.project, url, ids)
        settle(self.project, url)
        return ", ".join(ids) or None

    def _make(self) -> Branch:
        from infra.migrate import branch_history  # noqa: PLC0415  as above

        parent = self.provider.direct_url(self.parent.id, DatabaseRole.OWNER)
        identity = BranchIdentity.of(self.host, self.parent)
        before = None if self.with_data else branch_history.inheritance(parent, identity)
        branch = self._create(self._expiry(None))
        if before is not None:
            # The branch stays half made then, and the next run makes it again.
            if branch_history.inheritance(parent, identity) != before:
                raise BranchDiffersError(
                    f"{self.parent.name} was migrated while {self.name} was made from it", hint="run it again"
                )
            url = self.provider.direct_url(branch.id, DatabaseRole.OWNER)
            branch_history.inherit(url, BranchIdentity.of(self.host, branch), before)
        return branch

    def _kept(self, found: Branch) -> tuple[Branch, str | None]:
        expiry, what = self._expiry(found), None
        if expiry != found.expires_at:
            self.provider.set_expiry(found.id, expiry)
            what = f"kept until {expiry:%Y-%m-%d %H:%M} UTC" if expiry else "kept for good"
        try:
            return self._create(expiry), what
        except BranchDiffersError as error:
            raise BranchDiffersError(
                str(error),
                hint="ask for what it is, with or without --with-data, or first run: bough preview down",
            ) from error

    def _create(self, expiry: datetime | None) -> Branch:
        spec = BranchSpec(self.name, self.parent.id, with_data=self.with_data, expires_at=expiry)
        try:
            return self.provider.create(spec)
        except NotSupportedError:
            if expiry is None:
                raise
            self.announce(
                f"The provider deletes no branch by itself: {self.name} stays until it is taken down"
            )
            return self.provider.create(replace(spec, expires_at=None))

    def _expiry(self, found: Branch | None) -> datetime | None:
        """Return when it shall end: as it is, unless that is too soon or too late."""
        if self.lifetime is None or (found is not None and found.expires_at is None):
            return None
        now = datetime.now(UTC).replace(microsecond=0)
        if found is not None and found.expires_at is not None:
            left = found.expires_at - now
            if self.lifetime / _WORN <= left <= self.lifetime:
                return found.expires_at
        return now + self.lifetime
