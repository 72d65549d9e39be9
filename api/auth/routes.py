"""The routes under /auth."""

from __future__ import annotations

from fastapi import Request, Response, status

from api.auth import service
from api.auth.current_user import CurrentUserDep  # noqa: TC001  FastAPI resolves annotations at run time
from api.auth.schemas import Credentials, PasswordChange, RefreshRequest, Tokens  # noqa: TC001
from api.auth.service import (
    InvalidCredentialsError,
    RefreshTokenInvalidError,
    RefreshTokenReusedError,
    WrongPasswordError,
)
from api.auth.throttle import TooManyAttemptsError
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.web.openapi import problem_responses
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("auth", "/auth")


@router.post("/login", responses=problem_responses(InvalidCredentialsError, TooManyAttemptsError))
async def login(
    session: ReadSessionDep, request: Request, response: Response, credentials: Credentials
) -> Tokens:
    """Log in with email address and password. Five attempts in 15 minutes for an account."""
    pair = await service.login(session, credentials, _address(request))
    _forbid_storing(response)
    return pair


@router.post("/refresh", responses=problem_responses(RefreshTokenInvalidError, RefreshTokenReusedError))
async def refresh_tokens(session: ReadSessionDep, response: Response, sent: RefreshRequest) -> Tokens:
    """Exchange a refresh token for a new pair. It can be used once: keep the new one."""
    pair = await service.refresh(session, sent.refresh_token.get_secret_value())
    _forbid_storing(response)
    return pair


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(session: WriteSessionDep, sent: RefreshRequest) -> None:
    """End the login of a refresh token; also when it has ended already."""
    await service.logout(session, sent.refresh_token.get_secret_value())


@router.put(
    "/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, WrongPasswordError, TooManyAttemptsError),
)
async def change_password(
    user: CurrentUserDep, session: ReadSessionDep, request: Request, change: PasswordChange
) -> None:
    """Change your password. All refresh tokens stop working; access tokens last until they expire."""
    await service.change_password(session, user, change, _address(request))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _forbid_storing(response: Response) -> None:
    """Keep tokens out of caches (RFC 6749 section 5.1)."""
    response.headers["Cache-Control"] = "no-store"
