"""The routes of credits."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import Response, status

from api.auth.current_user import Admin, CurrentUserDep, RoleRequiredError
from api.credits import service
from api.credits.schemas import (
    AccountCreate,
    AccountRead,
    DepositCreate,
    TransferBatch,
    TransferBatchRead,
    TransferCreate,
    TransferRead,
)
from api.credits.service import (
    AccountNameTakenError,
    AccountNotFoundError,
    BalanceTooLargeError,
    InsufficientCreditsError,
    NotTheOwnerError,
    SameAccountError,
)
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.web.idempotency import IdempotencyKeyReusedError, OnceDep
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("credits", "/credits")


@router.post(
    "/accounts",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(UnauthorizedError, AccountNameTakenError),
)
async def create_account(owner: CurrentUserDep, session: WriteSessionDep, new: AccountCreate) -> AccountRead:
    """Open an account of your own. It is empty: credits come from admins and from other accounts."""
    return await service.create_account(session, owner, new)


@router.get("/accounts", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_accounts(
    owner: CurrentUserDep, session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[AccountRead]:
    """List your own accounts, by name."""
    return await service.page(session, owner, cursor, limit)


@router.get(
    "/accounts/{account_id}",
    responses=problem_responses(UnauthorizedError, NotTheOwnerError, AccountNotFoundError),
)
async def read_account(viewer: CurrentUserDep, session: ReadSessionDep, account_id: UUID) -> AccountRead:
    """Return an account of your own, or anyone's as an admin."""
    return await service.read_account(session, viewer, account_id)


@router.get(
    "/accounts/{account_id}/transfers",
    responses=problem_responses(
        InvalidCursorError, UnauthorizedError, NotTheOwnerError, AccountNotFoundError
    ),
)
async def list_account_transfers(
    viewer: CurrentUserDep,
    session: ReadSessionDep,
    account_id: UUID,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[TransferRead]:
    """List what your own account sent and received, the newest first; anyone's as an admin."""
    return await service.history(session, viewer, account_id, cursor, limit)


@router.post(
    "/accounts/{account_id}/deposits",
    status_code=status.HTTP_201_CREATED,
    response_model=TransferRead,
    responses=problem_responses(
        UnauthorizedError,
        RoleRequiredError,
        AccountNotFoundError,
        BalanceTooLargeError,
        IdempotencyKeyReusedError,
    ),
)
async def create_deposit(
    admin: Admin, session: WriteSessionDep, once: OnceDep, account_id: UUID, new: DepositCreate
) -> Response:
    """Issue credits into anyone's account: a transfer from nobody. For admins."""
    return await once(admin.id, lambda: service.deposit(session, admin, account_id, new))


@router.post(
    "/transfers",
    status_code=status.HTTP_201_CREATED,
    response_model=TransferRead,
    responses=problem_responses(
        UnauthorizedError,
        NotTheOwnerError,
        AccountNotFoundError,
        InsufficientCreditsError,
        BalanceTooLargeError,
        SameAccountError,
        IdempotencyKeyReusedError,
    ),
)
async def create_transfer(
    viewer: CurrentUserDep, session: WriteSessionDep, once: OnceDep, new: TransferCreate
) -> Response:
    """Move credits from an account of your own to anyone's. It is done as a whole or not at all.

    Send an `Idempotency-Key`, and when no answer comes, the same request again: it is carried out once.
    """
    return await once(viewer.id, lambda: service.transfer(session, viewer, new))


@router.post(
    "/transfers/batch",
    response_model=TransferBatchRead,
    responses=problem_responses(UnauthorizedError, IdempotencyKeyReusedError),
)
async def create_transfer_batch(
    viewer: CurrentUserDep, session: WriteSessionDep, once: OnceDep, batch: TransferBatch
) -> Response:
    """Make up to 50 transfers, one after the other. One that is refused leaves the others as they are.

    The answer lists for each, in the request's order, the transfer or the code of the problem. An
    `Idempotency-Key` covers the batch as a whole.
    """
    return await once(viewer.id, lambda: service.transfer_batch(session, viewer, batch))
