"""The user on whose behalf a request runs: one statement, at each request.

Reading the row each time costs 2 round trips and makes a deactivation or a new role count at once,
however long the access token still lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth import identities, repository
from api.auth.identities import AccountExistsError, VerifiedEmailRequiredError
from api.auth.issuers import AnonymousTokenError, is_foreign, read_foreign_token
from api.auth.keys import IssuerUnavailableError
from api.auth.tokens import TokenExpiredError, TokenInvalidError, read_access_token
from api.database.session import ReadSessionDep  # noqa: TC001
from api.users.models import Role
from api.web.problems import ForbiddenError, UnauthorizedError

_RANK: Final = {role: rank for rank, role in enumerate(Role)}
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="access token",
    description="An access token from `POST /auth/login`, or of the issuer that the service accepts.",
)
_BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


#: What any route may answer to a token that is sent, whether it needs one or not.
TOKEN_ERRORS: Final = (
    TokenExpiredError,
    TokenInvalidError,
    AnonymousTokenError,
    VerifiedEmailRequiredError,
    AccountExistsError,
    IssuerUnavailableError,
)


class RoleRequiredError(ForbiddenError):
    """The user's role does not suffice."""

    code = "ROLE_REQUIRED"

    def __init__(self, role: Role) -> None:
        """Name the least role that would."""
        super().__init__(f"This needs the role {role}.", required_role=role)


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """An active user, as read at the start of the request."""

    id: UUID
    email: str
    username: str
    role: Role

    def may(self, role: Role) -> bool:
        """Return whether this user has the role or one above it."""
        return _RANK[self.role] >= _RANK[role]


async def _user_or_anonymous(bearer: _BearerDep, session: ReadSessionDep) -> CurrentUser | None:
    """Return the user, or nobody when no token was sent; a bad token is an error all the same."""
    if bearer is None:
        return None
    token = bearer.credentials
    if is_foreign(token):
        user = await identities.sign_in(session, await read_foreign_token(token))
    else:
        user = await repository.find_active_user(session, read_access_token(token))
    if user is None:
        raise TokenInvalidError("The user of this access token is deactivated or gone.")
    return CurrentUser(user.id, user.email, user.username, Role(user.role))


#: For routes that show more to those who signed in.
CurrentUserOrNone = Annotated[CurrentUser | None, Depends(_user_or_anonymous)]


async def _current_user(user: CurrentUserOrNone) -> CurrentUser:
    if user is None:
        raise UnauthorizedError("Sign in first: send an access token.")
    return user


#: For routes that need a user.
CurrentUserDep = Annotated[CurrentUser, Depends(_current_user)]


async def _moderator(user: CurrentUserDep) -> CurrentUser:
    if not user.may(Role.MODERATOR):
        raise RoleRequiredError(Role.MODERATOR)
    return user


async def _admin(user: CurrentUserDep) -> CurrentUser:
    if not user.may(Role.ADMIN):
        raise RoleRequiredError(Role.ADMIN)
    return user


Moderator = Annotated[CurrentUser, Depends(_moderator)]
Admin = Annotated[CurrentUser, Depends(_admin)]
