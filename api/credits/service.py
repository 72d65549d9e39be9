"""The rules about credits: who may see an account, who may take from it, and how much.

An account is its owner's and the admins' to see and to take from; anyone may give to it. Only admins issue
credits. A refused transfer changes nothing. The accounts of a deactivated or deleted user still receive:
admins move what they hold.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from api.credits.models import MAX_CREDITS, UNIQUE_NAME, Account
from api.credits.repository import accounts, transfers
from api.credits.schemas import AccountRead, TransferBatchRead, TransferOutcome, TransferRead
from api.database.errors import CheckViolationError, ForeignKeyViolationError, UniqueViolationError
from api.users.models import Role
from api.web.pagination import Page
from api.web.problems import ConflictError, ForbiddenError, NotFoundError, ProblemError, UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.credits.schemas import AccountCreate, DepositCreate, TransferBatch, TransferCreate
    from api.database.session import ReadSession, WriteSession


class AccountNotFoundError(NotFoundError):
    """No account has this id."""

    code = "ACCOUNT_NOT_FOUND"

    def __init__(self, key: UUID) -> None:
        """Say which: a transfer names two."""
        super().__init__(f"There is no account {key}.")


class AccountNameTakenError(ConflictError):
    """The user has another account of this name, in whatever case."""

    code = "ACCOUNT_NAME_TAKEN"


class NotTheOwnerError(ForbiddenError):
    """The account is somebody else's."""

    code = "NOT_THE_OWNER"


class InsufficientCreditsError(ConflictError):
    """The account holds less than it should give."""

    code = "INSUFFICIENT_CREDITS"


class BalanceTooLargeError(ConflictError):
    """The account would hold more than an account may."""

    code = "BALANCE_TOO_LARGE"


class SameAccountError(UnprocessableError):
    """A transfer is between two accounts."""

    code = "SAME_ACCOUNT"


#: What a violated CHECK of `accounts` means, by its name.
_REFUSALS: Final[dict[str | None, tuple[type[ProblemError], str]]] = {
    "ck_accounts_balance_not_negative": (
        InsufficientCreditsError,
        "The account holds less than that; nothing was moved.",
    ),
    "ck_accounts_balance_maximum": (
        BalanceTooLargeError,
        f"An account holds at most {MAX_CREDITS} credits; nothing was moved.",
    ),
}


async def create_account(session: WriteSession, owner: CurrentUser, new: AccountCreate) -> AccountRead:
    """Open an empty account.

    Raises:
        AccountNameTakenError: The owner has another of this name.
    """
    try:
        account = await accounts.add(session, Account(owner_id=owner.id, name=new.name))
    except UniqueViolationError as error:
        if error.constraint == UNIQUE_NAME.name:
            raise AccountNameTakenError("You have another account of this name.") from error
        raise
    return AccountRead.model_validate(account)


async def page(session: ReadSession, owner: CurrentUser, cursor: str | None, limit: int) -> Page[AccountRead]:
    """Return a page of one's own accounts, by name."""
    rows, next_cursor = await accounts.page(session, owner.id, cursor, limit)
    return Page(items=[AccountRead.model_validate(row) for row in rows], next_cursor=next_cursor)


async def read_account(session: ReadSession, viewer: CurrentUser, key: UUID) -> AccountRead:
    """Return an account.

    Raises:
        AccountNotFoundError: There is none.
        NotTheOwnerError: It is somebody else's, and the viewer is no admin.
    """
    account = await accounts.get(session, key)
    if account is None:
        raise AccountNotFoundError(key)
    _require_owner(viewer, account.owner_id)
    return AccountRead.model_validate(account)


async def history(
    session: ReadSession, viewer: CurrentUser, key: UUID, cursor: str | None, limit: int
) -> Page[TransferRead]:
    """Return a page of what an account sent and received, the newest first.

    Raises:
        AccountNotFoundError: There is none.
        NotTheOwnerError: It is somebody else's, and the viewer is no admin.
    """
    owner, rows, next_cursor = await transfers.history(session, key, cursor, limit)
    if owner is None:
        raise AccountNotFoundError(key)
    _require_owner(viewer, owner)
    return Page(items=[TransferRead.model_validate(row) for row in rows], next_cursor=next_cursor)


async def deposit(session: WriteSession, admin: CurrentUser, key: UUID, new: DepositCreate) -> TransferRead:
    """Issue credits, for an admin.

    Raises:
        AccountNotFoundError: There is none.
        BalanceTooLargeError: It would hold too much.
    """
    try:
        with _refusals_named():
            made = await transfers.move(
                session, source=None, target=key, amount=new.amount, memo=new.memo, user=admin.id
            )
    except ForeignKeyViolationError as error:
        raise AccountNotFoundError(key) from error
    return TransferRead.model_validate(made)


async def transfer(session: WriteSession, viewer: CurrentUser, new: TransferCreate) -> TransferRead:
    """Move credits from an account of the viewer's to another.

    Raises:
        AccountNotFoundError: One of the two does not exist.
        NotTheOwnerError: The first is somebody else's, and the viewer is no admin.
        SameAccountError: The two are one.
        InsufficientCreditsError: It holds less.
        BalanceTooLargeError: The other would hold too much.
    """
    owners = await accounts.lock(session, (new.from_account_id, new.to_account_id))
    return await _move(session, viewer, owners, new)


async def transfer_batch(
    session: WriteSession, viewer: CurrentUser, batch: TransferBatch
) -> TransferBatchRead:
    """Make transfers one after the other, each in a savepoint: one that is refused leaves the others.

    All accounts are locked first, in one order over the whole batch.
    """
    keys = {key for new in batch.transfers for key in (new.from_account_id, new.to_account_id)}
    owners = await accounts.lock(session, keys)
    return TransferBatchRead(
        outcomes=[await _attempt(session, viewer, owners, new) for new in batch.transfers]
    )


async def _attempt(
    session: WriteSession, viewer: CurrentUser, owners: dict[UUID, UUID], new: TransferCreate
) -> TransferOutcome:
    try:
        async with session.begin_nested():
            return TransferOutcome(transfer=await _move(session, viewer, owners, new))
    except ProblemError as refusal:
        return TransferOutcome(code=refusal.code, detail=refusal.detail)


async def _move(
    session: WriteSession, viewer: CurrentUser, owners: dict[UUID, UUID], new: TransferCreate
) -> TransferRead:
    """Make a transfer between locked accounts, whose owners are known."""
    if new.from_account_id == new.to_account_id:
        raise SameAccountError("The two accounts must differ.")
    for key in (new.from_account_id, new.to_account_id):
        if key not in owners:
            raise AccountNotFoundError(key)
    # Before the balance is looked at: whether it suffices is the owner's business only.
    _require_owner(viewer, owners[new.from_account_id])
    with _refusals_named():
        made = await transfers.move(
            session,
            source=new.from_account_id,
            target=new.to_account_id,
            amount=new.amount,
            memo=new.memo,
            user=viewer.id,
        )
    return TransferRead.model_validate(made)


def _require_owner(viewer: CurrentUser, owner: UUID) -> None:
    if viewer.id != owner and not viewer.may(Role.ADMIN):
        raise NotTheOwnerError("This account is somebody else's.")


@contextmanager
def _refusals_named() -> Iterator[None]:
    """Turn a violated CHECK into the error that says what was wrong with the amount."""
    try:
        yield
    except CheckViolationError as error:
        if error.constraint in _REFUSALS:
            kind, detail = _REFUSALS[error.constraint]
            raise kind(detail) from error
        raise
