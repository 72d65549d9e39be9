"""The user on whose behalf a request runs: one statement, at each request.

Reading the row each time costs 2 round trips and makes a deactivation or a new role count at once,
however long the access token still lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth import identities, repository
from api.auth.identities import AccountExistsError, VerifiedEmailRequiredError
from api.auth.issuers import AnonymousTokenError, is_foreign, read_foreign_token
from api.auth.keys import IssuerUnavailableError
from api.auth.tokens import TokenExpiredError, TokenInvalidError, read_access_token
from api.database.claims import ClaimsError
from api.database.session import ReadSessionDep, claim
from api.settings import get_settings
from api.users.models import Role
from api.web.problems import ForbiddenError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.auth.repository import ActiveUser
    from api.database.session import ReadSession

_RANK: Final = {role: rank for rank, role in enumerate(Role)}
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="access token",
    description="An access token from `POST /auth/login`, or of the issuer that the service accepts.",
)
_BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class ClaimsRefusedError(ForbiddenError):
    """The token's claims are too large for the database, or hold what it cannot store."""

    code = "CLAIMS_REFUSED"


#: What any route may answer to a token that is sent, whether it needs one or not.
TOKEN_ERRORS: Final = (
    TokenExpiredError,
    TokenInvalidError,
    AnonymousTokenError,
    VerifiedEmailRequiredError,
    AccountExistsError,
    ClaimsRefusedError,
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
    token, claims = bearer.credentials, None
    if is_foreign(token):
        identity = await read_foreign_token(token)
        user, claims = await identities.sign_in(session, identity), identity.claims
    else:
        user = await repository.find_active_user(session, read_access_token(token))
    if user is None:
        raise TokenInvalidError("The user of this access token is deactivated or gone.")
    if get_settings().row_level_security:
        await _claim(session, user, claims)
    return CurrentUser(user.id, user.email, user.username, Role(user.role))


async def _claim(session: ReadSession, user: ActiveUser, claims: Mapping[str, Any] | None) -> None:
    """Tell the database who is asking; a token's own claims are kept apart, so that none replaces ours."""
    try:
        await claim(session, {"user_id": str(user.id), "role": user.role, "token": claims})
    except ClaimsError as error:
        raise ClaimsRefusedError(f"This token cannot be used here: {error}.") from None


#: For routes that show more to those who signed in; they pass `openapi_extra=TOKEN_OPTIONAL`.
CurrentUserOrNone = Annotated[CurrentUser | None, Depends(_user_or_anonymous)]
#: FastAPI declares that a token is needed wherever one is taken; this adds that none will do.
TOKEN_OPTIONAL: Final[dict[str, Any]] = {"security": [{}]}


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
