"""The rules of logging in, staying in and getting out.

What must outlive a refusal (a counted attempt, a revoked login) is committed before the refusal is
raised: these functions open their own transactions in the request's session instead of joining one
that the error would roll back.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api.auth import passwords, repository, throttle, tokens
from api.auth.schemas import Tokens
from api.database.base import uuid7
from api.database.session import write
from api.settings import get_settings
from api.web.problems import ForbiddenError, UnauthorizedError

if TYPE_CHECKING:
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.auth.schemas import Credentials, PasswordChange
    from api.auth.tokens import RefreshToken
    from api.database.session import ReadSession, WriteSession


class InvalidCredentialsError(UnauthorizedError):
    """Address or password is wrong, or the user is deactivated; which of them is not told."""

    code = "INVALID_CREDENTIALS"

    def __init__(self) -> None:
        """Say the same in all cases."""
        super().__init__("Email address or password is wrong.")


class RefreshTokenInvalidError(UnauthorizedError):
    """The refresh token has expired, was revoked or never was: log in again."""

    code = "REFRESH_TOKEN_INVALID"


class RefreshTokenReusedError(UnauthorizedError):
    """The refresh token was used before: somebody has a copy, and the whole login is over."""

    code = "REFRESH_TOKEN_REUSED"


class WrongPasswordError(ForbiddenError):
    """The current password is wrong. Not a 401: the access token is fine, and refreshing it is no cure."""

    code = "WRONG_PASSWORD"


async def login(session: ReadSession, credentials: Credentials, address: str | None) -> Tokens:
    """Exchange a password for tokens.

    An unknown user costs the same statements and the same hashing as a wrong password.

    Raises:
        TooManyAttemptsError: Too many passwords were tried; this one was not looked at.
        InvalidCredentialsError: It is not the password of an active user.
    """
    keys = throttle.keys_of(credentials.email, address)
    await _count_attempt(session, keys)
    account = await repository.find_account(session, credentials.email)
    fits, renewed = passwords.verify_password(
        credentials.password.get_secret_value(), account.hashed_password if account else None
    )
    if account is None or account.hashed_password is None or not fits or not account.is_active:
        raise InvalidCredentialsError
    token = tokens.new_refresh_token(uuid7())
    async with write(session) as writer:
        if not await repository.add_family(writer, token, account, _refresh_lifetime()):
            raise InvalidCredentialsError
        if renewed:
            await repository.set_password(writer, account.id, old=account.hashed_password, new=renewed)
        await repository.delete_families(writer, account.id, only_expired=True)
        await throttle.forgive(writer, keys)
    return _pair(account.id, token)


async def refresh(session: ReadSession, text: str) -> Tokens:
    """Exchange a refresh token for the next pair; the one given is used up.

    Of two that present the same token at once, exactly one gets a pair; the other ends the login,
    because nobody can tell which of them is its owner (RFC 9700 section 4.14.2).

    Raises:
        RefreshTokenInvalidError: It is not good any more, or never was.
        RefreshTokenReusedError: It was used before; its login is over.
    """
    token = tokens.parse_refresh_token(text)
    if token is None:
        raise RefreshTokenInvalidError("The refresh token is not valid.")
    successor = tokens.new_refresh_token(token.family)
    async with write(session) as writer:
        family = await repository.lock_family(writer, token.family)
        is_reused = family is not None and family.digest != token.digest
        if family is None or is_reused or not family.is_usable:
            await repository.delete_family(writer, token.family)
        else:
            await repository.rotate_family(writer, successor, _refresh_lifetime())
    if is_reused:
        raise RefreshTokenReusedError("The refresh token was used before; log in again.")
    if family is None or not family.is_usable:
        raise RefreshTokenInvalidError("The refresh token has expired or was revoked; log in again.")
    return _pair(family.user_id, successor)


async def logout(session: WriteSession, text: str) -> None:
    """End the login that a refresh token belongs to, if there is one."""
    token = tokens.parse_refresh_token(text)
    if token is not None:
        await repository.delete_family(session, token.family)


async def change_password(
    session: ReadSession, user: CurrentUser, change: PasswordChange, address: str | None
) -> None:
    """Replace a password and end all the user's logins; access tokens last until they expire.

    Guesses at the current password count as attempts to log in.

    Raises:
        TooManyAttemptsError: Too many passwords were tried; this one was not looked at.
        WrongPasswordError: The current password is another.
    """
    keys = throttle.keys_of(user.email, address)
    await _count_attempt(session, keys)
    hashed = await repository.find_password(session, user.id)
    fits, _ = passwords.verify_password(change.current_password.get_secret_value(), hashed)
    wrong = WrongPasswordError("The current password is wrong.")
    if hashed is None or not fits:
        raise wrong
    new = passwords.hash_password(change.new_password.get_secret_value())
    async with write(session) as writer:
        if not await repository.set_password(writer, user.id, old=hashed, new=new):
            raise wrong
        await end_logins(writer, user.id)
        await throttle.forgive(writer, keys)


async def end_logins(session: WriteSession, user: UUID) -> None:
    """Revoke all refresh tokens of a user."""
    await repository.delete_families(session, user)


async def _count_attempt(session: ReadSession, keys: throttle.Keys) -> None:
    async with write(session) as writer:
        wait = await throttle.count_attempt(writer, keys)
    if wait is not None:
        raise throttle.refusal(wait)


def _refresh_lifetime() -> timedelta:
    return timedelta(days=get_settings().refresh_token_days)


def _pair(user: UUID, token: RefreshToken) -> Tokens:
    return Tokens(
        access_token=tokens.issue_access_token(user),
        refresh_token=token.text,
        expires_in=get_settings().access_token_minutes * 60,
    )
